/** Images to time and to compare results with. */
import * as tf from '@tensorflow/tfjs';

/** @returns [n, ...] for the model, standard normal; the first ones are the same for every n */
export function randomImages(model: tf.LayersModel, n: number): Float32Array {
  const shape = [n, ...(model.inputs[0].shape.slice(1) as number[])];
  const images = tf.randomNormal(shape, 0, 1, 'float32', 1);
  // Not out of tidy: it looks for tensors in arrays as well, one element at a time.
  const values = images.dataSync<'float32'>().slice();
  images.dispose();
  return values;
}
