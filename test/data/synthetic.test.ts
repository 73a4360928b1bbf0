import assert from 'node:assert/strict';
import { test } from 'node:test';
import { syntheticDataset } from '../../src/index.js';

test('the same options give the same bytes; another seed does not', () => {
  const make = (seed: number) =>
    syntheticDataset({ shape: [8, 9, 2], count: 20, classes: 3, seed });
  const a = make(1);
  assert.deepEqual(make(1), a);
  assert.notDeepEqual(make(2).train.images, a.train.images);
  assert.equal(a.train.count, 20);
  assert.equal(a.test.count, 4);
  assert.equal(a.train.images.length, 20 * 8 * 9 * 2);
  assert.deepEqual([...a.train.labels.subarray(0, 4)], [0, 1, 2, 0]);
  assert.equal(a.classes.length, 3);
});

test('the classes can be told apart: the nearest class mean is right for most test images', () => {
  const { train, test, classes } = syntheticDataset({ shape: [12, 12, 1], count: 400 });
  const size = 144;
  const means = classes.map(() => new Float64Array(size));
  train.labels.forEach((label, i) => {
    for (let k = 0; k < size; k++) means[label][k] += train.images[i * size + k] / 40;
  });
  const distance = (mean: Float64Array, i: number) =>
    mean.reduce((sum, value, k) => sum + (value - test.images[i * size + k]) ** 2, 0);
  let right = 0;
  test.labels.forEach((label, i) => {
    const distances = means.map((mean) => distance(mean, i));
    if (distances.indexOf(Math.min(...distances)) === label) right++;
  });
  assert.ok(right / test.count > 0.8, `${right} of ${test.count}`);
});

test('more than 256 classes get labels of 32 bits', () => {
  const { train } = syntheticDataset({ shape: [1, 1, 1], classes: 300, count: 300 });
  assert.equal(train.labels[299], 299);
});

test('wrong options are refused', () => {
  const refuses = (options: object, message: RegExp) =>
    assert.throws(() => syntheticDataset(options), { code: 'INVALID_ARGUMENT', message });
  refuses({ classes: 0 }, /classes must be an integer >= 1, got 0/);
  refuses({ count: 1.5 }, /count must be/);
  refuses({ testCount: 0 }, /testCount must be/);
  refuses({ shape: [8, 0, 1] }, /shape must be/);
  refuses({ noise: NaN }, /noise must be/);
  refuses({ seed: 0.5 }, /seed must be an integer/);
});
