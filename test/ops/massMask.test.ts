import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as tf from '@tensorflow/tfjs';
import type { Tensor2D } from '@tensorflow/tfjs';
import { massMask, type MassMaskOptions } from '../../src/index.js';
import { massMaskCases } from '../cases/massMask.js';
import {
  compareExactly,
  coarseSaliency,
  invalid,
  tensorOf,
  uniformInput,
  withEachBackend,
} from './opsHelpers.js';

for (const { name, saliency, mass, options, mask } of massMaskCases) {
  test(`massMask: ${name}`, async () => {
    await withEachBackend(async (backend) => {
      const actual = tf.tidy(() => massMask(tf.tensor2d(saliency), mass, options).arraySync());
      assert.deepEqual(actual, mask, backend);
    });
  });
}

for (const channels of [1, 5, 64, 517, 4096]) {
  test(`massMask: native and composite give the same masks, ${channels} channels`, () => {
    const inputs = [uniformInput([3, channels], channels), coarseSaliency([3, channels], channels)];
    for (const input of inputs) {
      for (const mass of [0.03, 0.5, 0.92, 0.9999, 1, -1]) {
        for (const crossing of ['exclude', 'include'] as const) {
          compareExactly([input], (x) => massMask(x as Tensor2D, mass, { crossing }));
        }
      }
    }
  });
}

test('massMask: a sample has the same mask in every batch', async () => {
  await withEachBackend(async () => {
    tf.tidy(() => {
      const batch = tensorOf<Tensor2D>(uniformInput([5, 33], 1));
      const alone = tf.unstack(batch).map((row) => massMask(tf.expandDims(row) as Tensor2D, 0.8));
      assert.deepEqual(massMask(batch, 0.8).arraySync(), tf.concat(alone).arraySync());
    });
  });
});

test('massMask: empty batch', async () => {
  await withEachBackend(async () => {
    tf.tidy(() => assert.deepEqual(massMask(tf.zeros([0, 4]), 0.5).shape, [0, 4]));
  });
});

test('massMask: the mask is a constant', () => {
  tf.tidy(() => {
    const x = tf.tensor2d([[3, 2, 1]]);
    const dx = tf.grad((s: tf.Tensor) => tf.mul(massMask(s as Tensor2D, 0.9), s).sum())(x);
    assert.deepEqual(dx.arraySync(), [[1, 1, 0]]);
  });
});

test('massMask: bad arguments', () => {
  const s = tf.ones<tf.Rank.R2>([2, 3]);
  const bad = (x: unknown, mass: number, options?: unknown) => () =>
    massMask(x as Tensor2D, mass, options as MassMaskOptions);
  invalid(bad(tf.zeros([1, 2, 3, 4]), 0.5), 'massMask: saliency must be [N, C], got [1, 2, 3, 4]');
  invalid(bad(tf.zeros([2, 0]), 0.5), 'without empty sizes, got [2, 0]');
  invalid(bad(tf.zeros([2, 3], 'int32'), 0.5), 'saliency must be float32, got int32');
  invalid(bad([[1]], 0.5), 'saliency must be a tensor');
  for (const mass of [0, 1.01, NaN, Infinity, undefined as unknown as number]) {
    invalid(bad(s, mass), `mass must be in (0, 1], or negative to keep all, got ${mass}`);
  }
  for (const minActive of [-1, 0.5, NaN]) {
    invalid(bad(s, 0.5, { minActive }), `minActive must be an integer >= 0, got ${minActive}`);
  }
  invalid(bad(s, 0.5, { crossing: 'keep' }), 'crossing must be one of exclude, include, got keep');
  s.dispose();
  invalid(bad(s, 0.5), 'massMask: saliency is disposed');
});
