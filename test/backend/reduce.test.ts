import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as tf from '@tensorflow/tfjs';
import { agrees, uniform } from '../agrees.js';
import { eachDevice } from '../devices.js';

const cases: [shape: number[], axes: number[]][] = [
  [[5], [0]],
  [[1], [0]],
  [[3, 7], []],
  [[3, 7], [0]],
  [[3, 7], [1]],
  [[300, 65], [0]],
  [[300, 65], [1]],
  [[3, 5, 7], [1]],
  [
    [2, 5, 6, 3],
    [0, 1, 2],
  ],
  [
    [2, 5, 6, 3],
    [1, 2],
  ],
  [
    [2, 5, 6, 3],
    [0, 3],
  ],
  [
    [2, 5, 6, 3],
    [0, 2],
  ],
  [
    [2, 5, 6, 1],
    [-1, 1],
  ],
  [
    [2, 3, 4, 2, 3],
    [0, 2, 4],
  ],
  [[1, 70000], [1]],
  [[40000, 2], [0]],
  [[3, 30000], [0]],
  [[1, 200, 130], [1]],
];

const ops = { sum: tf.sum, mean: tf.mean, max: tf.max, min: tf.min };

for (const [name, op] of Object.entries(ops)) {
  test(`${name} agrees with cpu over any axes`, () => {
    for (const [shape, axes] of cases) {
      agrees(`${name} [${shape}] over [${axes}]`, () => [
        op(uniform(shape), axes),
        op(uniform(shape), axes, true),
      ]);
    }
    agrees(`${name} of all`, () => op(uniform([3, 4, 5])));
  });

  test(`${name} passes NaN and infinities on`, () => {
    for (const values of [
      [1, NaN, 2],
      [NaN, NaN, 1],
      [Infinity, 0, 1],
      [-Infinity, -Infinity, -Infinity],
      [Infinity, -Infinity, 1],
    ]) {
      for (const repeats of [1, 30]) {
        agrees(`${name} ${values}`, () => op(tf.tile(tf.tensor1d(values), [repeats])));
        agrees(`${name} ${values} columns`, () =>
          op(tf.tile(tf.tensor2d(values, [3, 1]), [repeats, 5]), 0),
        );
      }
    }
  });

  test(`${name} of integers and of nothing is left to the host kernel`, () => {
    agrees(`${name} int32`, () => op(tf.tensor2d([1, 2, 3, 5], [2, 2], 'int32'), 1));
    if (name === 'sum') agrees('sum of nothing', () => op(tf.zeros([0, 3]), 0));
  });
}

test('sums of ten million floats keep seven digits', () => {
  tf.setBackend('native');
  tf.tidy(() => {
    const tenth = tf.fill([10_000_000], 0.1);
    const exact = 10_000_000 * Math.fround(0.1);
    assert.ok(Math.abs(tf.sum(tenth).dataSync()[0] - exact) < 0.5);
    const columns = tf.sum(tf.reshape(tenth, [-1, 4]), 0).dataSync();
    for (const column of columns) assert.ok(Math.abs(column - exact / 4) < 0.5);
  });
});

test('ArgMax takes the first maximum, over any axis', () => {
  for (const axis of [0, 1, 2]) agrees(`axis ${axis}`, () => tf.argMax(uniform([4, 5, 6]), axis));
  agrees('ties and NaN', () => tf.argMax(tf.tensor2d([1, 3, 3, 0, NaN, 2, NaN, 5, 6], [3, 3]), 1));
  agrees('large', () => tf.argMax(uniform([700, 90]), -1));
});

test('Softmax agrees with cpu and stays finite', () => {
  for (const shape of [[1], [3, 10], [5, 1], [2, 3, 17], [600, 33]]) {
    agrees(`[${shape}]`, () => tf.softmax(uniform(shape, -20, 20)));
  }
  agrees('large logits', () => tf.softmax(tf.tensor2d([1e4, 1e4, -1e4, -3e38, 0, 3e38], [2, 3])));
  agrees('NaN', () => tf.softmax(tf.tensor1d([NaN, 1, 2])));
  for (const name of eachDevice()) {
    const sums = tf.tidy(() => tf.sum(tf.softmax(uniform([50, 37], -9, 9)), 1).dataSync());
    for (const sum of sums) assert.ok(Math.abs(sum - 1) < 1e-6, name);
  }
});
