import * as tf from '@tensorflow/tfjs';
import { check } from '../errors.js';

/** `x` is a batch of at least one image of the size that the model takes. */
export function checkImages(
  caller: string,
  name: string,
  x: tf.Tensor,
  model: tf.LayersModel,
): void {
  check(x instanceof tf.Tensor, () => `${caller}: ${name} must be a tensor, got ${String(x)}`);
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
}
