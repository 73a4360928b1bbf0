import * as tf from '@tensorflow/tfjs';
import { check } from '../errors.js';
import { checkAlive } from './checkAlive.js';

/** `x` is a live float32 batch of at least one image of the size that the model takes, and the model is not disposed. */
export function checkImages(
  caller: string,
  name: string,
  x: tf.Tensor,
  model: tf.LayersModel,
): void {
  check(x instanceof tf.Tensor, () => `${caller}: ${name} must be a tensor, got ${String(x)}`);
  check(!x.isDisposed, () => `${caller}: ${name} is disposed`);
  checkAlive(caller, model);
  const { shape } = model.inputs[0];
  const wanted = `[N, ${shape
    .slice(1)
    .map((size) => size ?? '?')
    .join(', ')}] with N >= 1`;
  const fits =
    x.rank === shape.length &&
    x.shape[0] > 0 &&
    shape.slice(1).every((size, i) => size === null || size === x.shape[i + 1]);
  check(
    model.inputs.length === 1 && fits,
    () => `${caller}: ${name} must be ${wanted}, got [${x.shape.join(', ')}]`,
  );
  check(x.dtype === 'float32', () => `${caller}: ${name} must be float32, got ${x.dtype}`);
}
