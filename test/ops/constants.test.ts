import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as tf from '@tensorflow/tfjs';
import type { Tensor, Tensor2D } from '@tensorflow/tfjs';
import { binarize, stopGradient } from '../../src/index.js';
import { invalid, withEachBackend } from './opsHelpers.js';

test('binarize: above 0, NaN is not', async () => {
  await withEachBackend(async (backend) => {
    tf.tidy(() => {
      const mask = binarize(tf.tensor2d([[1e-30, 0, -1, NaN, Infinity, -0]]));
      assert.equal(mask.dtype, 'float32');
      assert.deepEqual(mask.arraySync(), [[1, 0, 0, 0, 1, 0]], backend);
    });
  });
});

test('binarize: no gradient reaches the logits, none is computed', async () => {
  await withEachBackend(async () => {
    tf.tidy(() => {
      const logits = tf.tensor2d([[2, -3]]);
      const dLogits = tf.grad((l: Tensor) => tf.sum(tf.mul(binarize(l as Tensor2D), l)))(logits);
      assert.deepEqual(dLogits.arraySync(), [[1, 0]]);
    });
  });
});

test('binarize: empty batch and bad arguments', () => {
  tf.tidy(() => {
    assert.deepEqual(binarize(tf.zeros([0, 3])).shape, [0, 3]);
    const bad = (x: Tensor) => () => binarize(x as Tensor2D);
    invalid(bad(tf.zeros([3])), 'binarize: maskLogits must be [N, C], got [3]');
    invalid(bad(tf.zeros([3, 0])), 'without empty sizes');
    invalid(bad(tf.zeros([1, 3], 'int32')), 'maskLogits must be float32, got int32');
  });
});

test('stopGradient: the same values, as a constant', async () => {
  await withEachBackend(async () => {
    tf.tidy(() => {
      const x = tf.tensor1d([1, -2, NaN]);
      assert.deepEqual(stopGradient(x).arraySync(), [1, -2, NaN]);
      const y = tf.tensor1d([1, -2]);
      const dy = tf.grad((t: Tensor) => tf.sum(tf.mul(t, stopGradient(t))))(y);
      assert.deepEqual(dy.arraySync(), [1, -2]);
    });
  });
});

test('stopGradient: shares memory and outlives its input', async () => {
  await withEachBackend(async () => {
    const x = tf.tensor1d([1, 2]);
    const y = stopGradient(x);
    assert.equal(y.dataId, x.dataId);
    x.dispose();
    assert.deepEqual(y.arraySync(), [1, 2]);
    y.dispose();
    invalid(() => stopGradient(x), 'stopGradient: x is disposed');
    invalid(() => stopGradient(3 as unknown as Tensor), 'x must be a tensor, got 3');
  });
});
