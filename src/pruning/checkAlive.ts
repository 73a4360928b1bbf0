import type * as tf from '@tensorflow/tfjs';
import { check } from '../errors.js';

/** @throws FtwtError INVALID_ARGUMENT if the model, or a layer of it, has been disposed */
export function checkAlive(caller: string, model: tf.LayersModel): void {
  // tfjs tells only by an error of its own when the weight is read.
  const gone = (model.weights as unknown as { name: string; val: tf.Variable }[]).find(
    ({ val }) => val.isDisposed,
  );
  check(gone === undefined, () => `${caller}: the model is disposed (weight ${gone!.name})`);
}
