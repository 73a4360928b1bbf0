/** Images to time and to compare results with. */
import * as tf from '@tensorflow/tfjs';

/** @returns [n, ...] for the model, standard normal; the first ones are the same for every n */
export function randomImages(model: tf.LayersModel, n: number): Float32Array {
  const shape = [n, ...(model.inputs[0].shape.slice(1) as number[])];
  return tf.tidy(() => tf.randomNormal(shape, 0, 1, 'float32', 1).dataSync<'float32'>().slice());
}
