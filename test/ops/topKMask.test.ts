import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as tf from '@tensorflow/tfjs';
import type { Tensor2D } from '@tensorflow/tfjs';
import { topKMask } from '../../src/index.js';
import {
  compareExactly,
  coarseSaliency,
  invalid,
  uniformInput,
  withEachBackend,
} from './opsHelpers.js';

const cases: {
  name: string;
  saliency: number[][];
  keepRatio: number;
  minActive?: number;
  mask: number[][];
}[] = [
  {
    name: 'the same number for every sample',
    saliency: [
      [4, 1, 3, 2],
      [1, 100, 1, 1],
    ],
    keepRatio: 0.5,
    mask: [
      [1, 0, 1, 0],
      [1, 1, 0, 0],
    ],
  },
  {
    name: 'dead channels are dropped',
    saliency: [[0, 1e-5, 2e-5, 5]],
    keepRatio: 1,
    mask: [[0, 0, 1, 1]],
  },
  {
    name: 'minActive wins over both rules',
    saliency: [
      [0, 0, 0, 0],
      [1, 2, 3, 4],
    ],
    keepRatio: 0.25,
    minActive: 2,
    mask: [
      [1, 1, 0, 0],
      [0, 0, 1, 1],
    ],
  },
  {
    name: 'NaN is dead, infinity the largest',
    saliency: [[NaN, 1, Infinity, 2]],
    keepRatio: 0.5,
    mask: [[0, 0, 1, 1]],
  },
  {
    name: 'a ratio below half a channel',
    saliency: [[1, 2, 3]],
    keepRatio: 0.1,
    mask: [[0, 0, 1]],
  },
];

for (const { name, saliency, keepRatio, minActive, mask } of cases) {
  test(`topKMask: ${name}`, async () => {
    await withEachBackend(async (backend) => {
      const actual = tf.tidy(() =>
        topKMask(tf.tensor2d(saliency), keepRatio, { minActive }).arraySync(),
      );
      assert.deepEqual(actual, mask, backend);
    });
  });
}

for (const channels of [1, 33, 512]) {
  test(`topKMask: native and composite give the same masks, ${channels} channels`, () => {
    for (const input of [uniformInput([3, channels], 1), coarseSaliency([3, channels], 2)]) {
      for (const keepRatio of [0.1, 0.5, 1]) {
        compareExactly([input], (x) => topKMask(x as Tensor2D, keepRatio));
      }
    }
  });
}

test('topKMask: empty batch, and the mask is a constant', async () => {
  await withEachBackend(async () => {
    tf.tidy(() => {
      assert.deepEqual(topKMask(tf.zeros([0, 4]), 0.5).shape, [0, 4]);
      const x = tf.tensor2d([[3, 2]]);
      const dx = tf.grad((s: tf.Tensor) => tf.mul(topKMask(s as Tensor2D, 0.5), s).sum())(x);
      assert.deepEqual(dx.arraySync(), [[1, 0]]);
    });
  });
});

test('topKMask: bad arguments', () => {
  tf.tidy(() => {
    const s = tf.ones<tf.Rank.R2>([2, 3]);
    for (const ratio of [0, -1, 1.5, NaN]) {
      invalid(() => topKMask(s, ratio), `topKMask: keepRatio must be in (0, 1], got ${ratio}`);
    }
    invalid(() => topKMask(s, 1, { minActive: -2 }), 'minActive must be an integer >= 0, got -2');
    invalid(() => topKMask(tf.zeros([3]) as unknown as Tensor2D, 1), 'must be [N, C], got [3]');
  });
});
