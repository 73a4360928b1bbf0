import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as tf from '@tensorflow/tfjs';
import type { Tensor4D } from '@tensorflow/tfjs';
import { channelSaliency } from '../../src/index.js';
import { gradCheck } from '../gradCheck.js';
import {
  compareExactly,
  invalid,
  tensorOf,
  uniformInput,
  wellSpaced,
  withEachBackend,
} from './opsHelpers.js';

for (const shape of [
  [1, 1, 1, 1],
  [3, 5, 7, 1],
  [1, 4, 3, 17],
  [3, 3, 3, 64],
  [2, 2, 3, 131],
]) {
  test(`channelSaliency: native agrees with the composite, [${shape.join(', ')}]`, () => {
    compareExactly([uniformInput(shape, 1)], (x) => channelSaliency(x as Tensor4D));
  });
}

test('channelSaliency: the largest magnitude, NaN and infinity', async () => {
  await withEachBackend(async (backend) => {
    const actual = tf.tidy(() =>
      channelSaliency(
        tf.tensor4d([1, NaN, -Infinity, 0, -3, 5, 1, -0, 2, 6, 2, 0], [1, 3, 1, 4]),
      ).arraySync(),
    );
    assert.deepEqual(actual, [[3, NaN, Infinity, 0]], backend);
  });
});

test('channelSaliency: gradient', async () => {
  await withEachBackend(async (label) => {
    const x = tensorOf(wellSpaced([2, 3, 2, 5], 3));
    gradCheck((t) => channelSaliency(t as Tensor4D), [x], { label });
    x.dispose();
  });
});

test('channelSaliency: the gradient of a tie goes to its first element', async () => {
  await withEachBackend(async () => {
    tf.tidy(() => {
      const x = tf.tensor4d([1, -2, 2, 0], [1, 2, 2, 1]);
      const dx = tf.grad((t: tf.Tensor) => channelSaliency(t as Tensor4D))(x);
      assert.deepEqual(Array.from(dx.dataSync()), [0, -1, 0, 0]);
    });
  });
});

test('channelSaliency: empty batch, also its gradient', async () => {
  await withEachBackend(async () => {
    tf.tidy(() => {
      const x = tf.zeros<tf.Rank.R4>([0, 2, 2, 3]);
      assert.deepEqual(channelSaliency(x).shape, [0, 3]);
      const dx = tf.grad((t: tf.Tensor) => tf.sum(channelSaliency(t as Tensor4D)))(x);
      assert.deepEqual(dx.shape, [0, 2, 2, 3]);
    });
  });
});

test('channelSaliency: bad arguments', () => {
  tf.tidy(() => {
    const bad = (x: tf.Tensor) => () => channelSaliency(x as Tensor4D);
    invalid(bad(tf.zeros([2, 3])), 'channelSaliency: x must be [N, H, W, C], got [2, 3]');
    invalid(bad(tf.zeros([2, 0, 3, 4])), 'without empty sizes, got [2, 0, 3, 4]');
    invalid(bad(tf.zeros([1, 1, 1, 1], 'bool')), 'x must be float32, got bool');
  });
});
