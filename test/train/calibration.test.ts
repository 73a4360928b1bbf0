import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as tf from '@tensorflow/tfjs';
import { calibrationBatch, fit, syntheticDataset, type FtwtError } from '../../src/index.js';

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

test('calibrationBatch rejects a model that fit has not trained', () => {
  assert.throws(
    () => calibrationBatch(tinyModel(), dataset.train),
    (error: FtwtError) =>
      error.code === 'INVALID_ARGUMENT' && /not trained with fit/.test(error.message),
  );
});
