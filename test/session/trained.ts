/** Dynamic networks that have been trained for a moment, so that their masks follow the images. */
import * as tf from '@tensorflow/tfjs';
import {
  batches,
  channelStatistics,
  fit,
  loadFashionMnist,
  makeDynamic,
  syntheticDataset,
  type Dataset,
  type FitOptions,
  type Split,
} from '../../src/index.js';

/** Images of Fashion-MNIST where it is on this machine, else made-up ones. Nothing is fetched. */
export async function imagesAtHand(count: number): Promise<Dataset> {
  try {
    return partOf(await loadFashionMnist({ offline: true }), count);
  } catch {
    return syntheticDataset({ count, testCount: 64 });
  }
}

/** A data set with `count` of its training images, spread over all of them: folders are sorted by class. */
export function partOf(dataset: Dataset, count: number): Dataset {
  return { ...dataset, train: spread(dataset.train, count) };
}

function spread(split: Split, count: number): Split {
  const floats = split.images.length / split.count;
  const n = Math.min(count, split.count);
  const images = new Uint8Array(n * floats);
  const labels = new Int32Array(n);
  for (let i = 0; i < n; i++) {
    const from = Math.floor((i * split.count) / n);
    images.set(split.images.subarray(from * floats, (from + 1) * floats), i * floats);
    labels[i] = split.labels[from];
  }
  return { ...split, images, labels, count: n };
}

export interface Recipe {
  mass: number;
  batchSize: number;
  /** Epochs of the dense network, and of the dynamic one. */
  epochs: number;
  reporter?: FitOptions['reporter'];
}

/** Trains `dense`, makes it dynamic and trains that; `dense` is disposed. */
export async function trainDynamic(
  dense: tf.LayersModel,
  dataset: Dataset,
  { mass, batchSize, epochs, reporter }: Recipe,
): Promise<tf.LayersModel> {
  const options: FitOptions = { epochs, batchSize, seed: 3, evaluateEvery: 0, reporter };
  await fit(dense, dataset, { ...options, learningRate: 0.05 });
  const model = makeDynamic(dense, { mass });
  await fit(model, dataset, {
    ...{ ...options, learningRate: 0.01, predictorLearningRate: 30, cooldown: 1 },
  });
  dense.dispose();
  return model;
}

/** n images of the test split, spread over it, as a network takes them that was trained on the data set. */
export function testImages({ train, test }: Dataset, n: number): tf.Tensor4D {
  const { mean, std } = channelStatistics(train);
  const [first] = batches(spread(test, n), { batchSize: n, mean, std });
  return tf.tensor4d(first.x, first.shape);
}
