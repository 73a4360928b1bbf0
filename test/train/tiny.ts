/** A model and a data set on which training takes milliseconds. */
import assert from 'node:assert/strict';
import * as tf from '@tensorflow/tfjs';
import { syntheticDataset, type Dataset, type FitOptions } from '../../src/index.js';

export function tinyDataset(count = 96): Dataset {
  return syntheticDataset({ classes: 3, shape: [8, 8, 1], count, testCount: 30, seed: 1 });
}

/** Convolution, batch norm, relu, pooling, dense: [8, 8, 1] -> 3 logits. */
export function tinyModel(seed = 1): tf.LayersModel {
  const kernelInitializer = tf.initializers.heNormal({ seed });
  return tf.sequential({
    layers: [
      tf.layers.conv2d({
        inputShape: [8, 8, 1],
        filters: 4,
        kernelSize: 3,
        padding: 'same',
        useBias: false,
        kernelInitializer,
      }),
      tf.layers.batchNormalization({ momentum: 0.9 }),
      tf.layers.reLU(),
      tf.layers.maxPooling2d({ poolSize: 2 }),
      tf.layers.flatten(),
      tf.layers.dense({ units: 3, kernelInitializer }),
    ],
  });
}

export const tinyOptions: FitOptions = {
  epochs: 2,
  batchSize: 16,
  learningRate: 0.05,
  augment: { padCrop: 1, flip: true },
  seed: 7,
};

export function weightsOf(model: tf.LayersModel): Float32Array[] {
  return model.getWeights().map((weight) => weight.dataSync<'float32'>().slice());
}

export function assertSameWeights(actual: tf.LayersModel, expected: tf.LayersModel): void {
  assert.deepEqual(weightsOf(actual), weightsOf(expected));
}
