import { test } from 'node:test';
import assert from 'node:assert/strict';
import * as tf from '@tensorflow/tfjs';
import {
  estimateMacs,
  makeDynamic,
  massForBudget,
  measureMacs,
  vggSmall,
} from '../../src/index.js';
import { invalid } from '../ops/opsHelpers.js';

const smallNetwork = () => vggSmall({ inputShape: [4, 4, 1], widths: [2], classes: 3 });

/** Each with what it calls its images. */
const functions: [string, (model: tf.LayersModel, x: tf.Tensor4D) => unknown][] = [
  ['estimateMacs: calibrationBatch', (model, x) => estimateMacs(model, x, { mass: 0.9 })],
  ['massForBudget: calibrationBatch', (model, x) => massForBudget(model, x, { reduction: 0.2 })],
  ['measureMacs: x', (model, x) => measureMacs(model, x)],
];

const wrongImages: [string, () => tf.Tensor | number[]][] = [
  ['must be a tensor, got 1', () => [1]],
  [
    'is disposed',
    () => {
      const x = tf.zeros([2, 4, 4, 1]);
      x.dispose();
      return x;
    },
  ],
  ['must be float32, got int32', () => tf.zeros([2, 4, 4, 1], 'int32')],
  ['must be [N, 4, 4, 1] with N >= 1, got [0, 4, 4, 1]', () => tf.zeros([0, 4, 4, 1])],
  ['must be [N, 4, 4, 1] with N >= 1, got [1, 5, 4, 1]', () => tf.zeros([1, 5, 4, 1])],
  ['must be [N, 4, 4, 1] with N >= 1, got [4, 4, 1]', () => tf.zeros([4, 4, 1])],
];

for (const [name, call] of functions) {
  const network = () =>
    name.startsWith('measure') ? makeDynamic(smallNetwork(), { mass: 0.9 }) : smallNetwork();

  test(`wrong images are refused, and nothing leaks: ${name}`, () => {
    const model = network();
    for (const [message, images] of wrongImages) {
      const x = images() as tf.Tensor4D;
      const before = tf.memory().numTensors;
      invalid(() => call(model, x), `${name} ${message}`);
      assert.equal(tf.memory().numTensors, before, message);
      tf.dispose(x);
    }
  });

  test(`a disposed model is refused: ${name}`, () => {
    const x = tf.zeros<tf.Rank.R4>([2, 4, 4, 1]);
    const model = network();
    model.dispose();
    const before = tf.memory().numTensors;
    invalid(() => call(model, x), `${name.split(' ')[0]} the model is disposed (weight conv1`);
    assert.equal(tf.memory().numTensors, before);
    x.dispose();
  });
}
