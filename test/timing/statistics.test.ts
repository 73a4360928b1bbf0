import assert from 'node:assert/strict';
import { test } from 'node:test';
import { quantile, spreadOf } from '../../src/timing/statistics.js';

test('quantiles', () => {
  assert.equal(quantile([3, 1, 2], 0.5), 2);
  assert.equal(quantile([4, 1], 0.5), 2.5);
  assert.equal(quantile([7], 0.9), 7);
  assert.ok(Math.abs(quantile([1, 2, 3, 4, 5], 0.9) - 4.6) < 1e-12);
});

test('a spread does not depend on the order', () => {
  const spread = spreadOf([5, 1, 4, 2, 3]);
  assert.equal(spread.median, 3);
  assert.ok(Math.abs(spread.p10 - 1.4) < 1e-12 && Math.abs(spread.p90 - 4.6) < 1e-12);
  assert.deepEqual(spreadOf([1, 2, 3, 4, 5]), spread);
});
