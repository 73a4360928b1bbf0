import assert from 'node:assert/strict';
import { beforeEach, test } from 'node:test';
import * as tf from '@tensorflow/tfjs';
import { crossEntropy, type FtwtError, maskLoss } from '../../src/index.js';
import { allClose } from '../allClose.js';

beforeEach(() => tf.setBackend('native'));

function referenceCrossEntropy(logits: number[][], labels: number[], smoothing: number): number {
  let total = 0;
  logits.forEach((row, n) => {
    const top = Math.max(...row);
    const logSum = top + Math.log(row.reduce((sum, z) => sum + Math.exp(z - top), 0));
    row.forEach((z, c) => {
      const target = (c === labels[n] ? 1 - smoothing : 0) + smoothing / row.length;
      total -= target * (z - logSum);
    });
  });
  return total / logits.length;
}

function referenceMaskLoss(layers: { z: number[][]; target: number[][] }[]): number {
  let total = 0;
  for (const { z, target } of layers) {
    z.forEach((row, n) =>
      row.forEach((value, c) => {
        const probability = 1 / (1 + Math.exp(-value));
        const share =
          target[n][c] * Math.log(probability) + (1 - target[n][c]) * Math.log(1 - probability);
        total -= share / z.length;
      }),
    );
  }
  return total / layers.length;
}

/** Central differences of `f` at `x`. */
function numericGradient(f: (x: number[][]) => number, x: number[][]): number[] {
  const step = 1e-5;
  return x.flatMap((row, i) =>
    row.map((_, j) => {
      const shifted = (by: number) =>
        f(x.map((r, a) => r.map((v, b) => (a === i && b === j ? v + by : v))));
      return (shifted(step) - shifted(-step)) / (2 * step);
    }),
  );
}

const logits = [
  [0.5, -1, 2],
  [0, 0, 0],
  [3, 1, -2],
];
const labels = [2, 0, 1];

for (const labelSmoothing of [0, 0.1]) {
  test(`crossEntropy and its gradient, label smoothing ${labelSmoothing}`, () => {
    const loss = (z: tf.Tensor2D) =>
      crossEntropy(z, tf.tensor1d(labels, 'int32'), { labelSmoothing });
    const { value, grad } = tf.valueAndGrad((z) => loss(z as tf.Tensor2D))(tf.tensor2d(logits));
    allClose(value, [referenceCrossEntropy(logits, labels, labelSmoothing)]);
    allClose(
      grad,
      numericGradient((z) => referenceCrossEntropy(z, labels, labelSmoothing), logits),
    );
  });
}

test('crossEntropy stays finite for huge scores', () => {
  const huge = tf.tensor2d([
    [1e4, -1e4],
    [-1e4, 1e4],
  ]);
  allClose(crossEntropy(huge, tf.tensor1d([0, 0], 'int32')), [1e4]);
});

test('crossEntropy refuses wrong shapes, types and smoothing', () => {
  const scores = tf.zeros<tf.Rank.R2>([2, 3]);
  const right = tf.tensor1d([0, 1], 'int32');
  const invalid = (call: () => unknown, message: RegExp) =>
    assert.throws(call, (error: FtwtError) => {
      assert.equal(error.code, 'INVALID_ARGUMENT');
      assert.match(error.message, message);
      return true;
    });
  invalid(
    () => crossEntropy(scores, tf.tensor1d([0, 1, 2], 'int32')),
    /int32 \[2\], got int32 \[3\]/,
  );
  invalid(() => crossEntropy(scores, tf.tensor1d([0, 1])), /got float32/);
  invalid(() => crossEntropy(tf.zeros([2, 3, 1]) as never, right), /\[N, classes\], got \[2,3,1\]/);
  invalid(() => crossEntropy(scores, right, { labelSmoothing: 1 }), /\[0, 1\), got 1/);
});

const layers = [
  { z: [[0, 2], [-1, 0.3]], target: [[1, 0], [0, 1]] }, // prettier-ignore
  { z: [[0.5, -2, 0], [4, -3, 1]], target: [[1, 1, 0], [1, 0, 0]] }, // prettier-ignore
];

test('maskLoss and its gradient, also at logits of exactly 0', () => {
  const loss = (...z: tf.Tensor[]) =>
    maskLoss(
      layers.map(({ target }, i) => ({
        maskLogits: z[i] as tf.Tensor2D,
        targetMask: tf.tensor2d(target),
      })),
    );
  const { value, grads } = tf.valueAndGrads(loss)(layers.map(({ z }) => tf.tensor2d(z)));
  allClose(value, [referenceMaskLoss(layers)]);
  grads.forEach((gradient, i) =>
    allClose(
      gradient,
      numericGradient(
        (z) => referenceMaskLoss(layers.map((layer, j) => (j === i ? { ...layer, z } : layer))),
        layers[i].z,
      ),
    ),
  );
});

test('maskLoss of no layers is 0; a missing target is an error', () => {
  allClose(maskLoss([]), [0]);
  assert.throws(() => maskLoss([{ maskLogits: tf.zeros([2, 3]) }]), /layer 0 has no targetMask/);
  assert.throws(
    () => maskLoss([{ maskLogits: tf.zeros([2, 3]), targetMask: tf.zeros([2, 4]) }]),
    /must be \[2,3\], got \[2,4\]/,
  );
  const ofBatch = (n: number) => ({
    maskLogits: tf.zeros<tf.Rank.R2>([n, 1]),
    targetMask: tf.zeros<tf.Rank.R2>([n, 1]),
  });
  assert.throws(() => maskLoss([ofBatch(2), ofBatch(3)]), /the batch of layer 0, 2, got 3/);
});

test('losses leak nothing', () => {
  const scores = tf.tensor2d(logits);
  const right = tf.tensor1d(labels, 'int32');
  const before = tf.memory().numTensors;
  crossEntropy(scores, right).dispose();
  maskLoss([{ maskLogits: scores, targetMask: scores }]).dispose();
  assert.equal(tf.memory().numTensors, before);
});
