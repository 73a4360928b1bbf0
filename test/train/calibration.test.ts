import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as tf from '@tensorflow/tfjs';
import { calibrationBatch, fit, syntheticDataset } from '../../src/index.js';
import { invalid } from '../ops/opsHelpers.js';

const dataset = syntheticDataset({ classes: 2, shape: [4, 4, 1], count: 40, seed: 1 });

function tinyModel(): tf.LayersModel {
  const model = tf.sequential();
  model.add(tf.layers.flatten({ inputShape: [4, 4, 1] }));
  model.add(tf.layers.dense({ units: 2 }));
  return model;
}

test('calibrationBatch normalises as fit did and repeats itself', async () => {
  const model = tinyModel();
  await fit(model, dataset, { epochs: 1, batchSize: 8, mean: [0.25], std: [0.5] });
  const { count } = dataset.train;
  const [first, second] = [0, 1].map(() => calibrationBatch(model, dataset.train, 2 * count));
  assert.deepEqual(first.shape, [count, 4, 4, 1]);
  const values = first.dataSync();
  assert.deepEqual(values, second.dataSync());
  const bytes = Array.from(dataset.train.images);
  const sum = bytes.reduce((total, byte) => total + (byte / 255 - 0.25) / 0.5, 0);
  const actual = Array.from(values).reduce((total, value) => total + value, 0);
  assert.ok(Math.abs(actual - sum) < 1e-3 * values.length, `${actual} against ${sum}`);
  tf.dispose([first, second]);
});

test('calibrationBatch rejects what does not fit, and nothing leaks', async () => {
  const model = tinyModel();
  invalid(() => calibrationBatch(model, dataset.train), 'not trained with fit');
  await fit(model, dataset, { epochs: 1, batchSize: 8 });
  const { train } = dataset;
  const before = tf.memory().numTensors;
  const images = Int32Array.from(train.images) as never;
  const none = { ...train, count: 0, images: new Uint8Array(0), labels: new Uint8Array(0) };
  for (const [split, count, message] of [
    [{ ...train, images }, 8, 'images must be a Uint8Array, got Int32Array'],
    [{ ...train, shape: [2, 8, 1] as never }, 8, 'takes images of [4,4,1], got [2,8,1]'],
    [none, 8, 'must hold at least one image, got count 0'],
    [train, 0, 'images must be an integer >= 1, got 0'],
    [train, 1.5, 'images must be an integer >= 1, got 1.5'],
  ] as const) {
    invalid(() => calibrationBatch(model, split, count), message);
  }
  assert.equal(tf.memory().numTensors, before);
  model.dispose();
  invalid(() => calibrationBatch(model, train), 'the model is disposed');
});
