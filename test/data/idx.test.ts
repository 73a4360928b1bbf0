import assert from 'node:assert/strict';
import { test } from 'node:test';
import { loadFashionMnist, channelStatistics, FtwtError } from '../../src/index.js';
import { parseSplit } from '../../src/data/fashionMnist.js';
import { parseIdx } from '../../src/data/idx.js';
import { allClose } from '../allClose.js';

function idx(sizes: number[], data: number[], type = 8): Uint8Array {
  const bytes = Buffer.alloc(4 + 4 * sizes.length + data.length);
  bytes.set([0, 0, type, sizes.length]);
  sizes.forEach((size, i) => bytes.writeUInt32BE(size, 4 + 4 * i));
  bytes.set(data, 4 + 4 * sizes.length);
  return bytes;
}

const corrupt = (message: RegExp) => ({ name: 'FtwtError', code: 'CORRUPT_FILE', message });

test('sizes and elements are read, also from inside a larger buffer', () => {
  const bytes = idx([2, 1, 3], [1, 2, 3, 4, 5, 6]);
  const padded = new Uint8Array(bytes.length + 3);
  padded.set(bytes, 3);
  for (const file of [bytes, padded.subarray(3)]) {
    const { sizes, data } = parseIdx(file, 'file', 3);
    assert.deepEqual(sizes, [2, 1, 3]);
    assert.deepEqual([...data], [1, 2, 3, 4, 5, 6]);
  }
});

test('what is no IDX file of bytes of this rank is refused with the reason', () => {
  const refuses = (bytes: Uint8Array, message: RegExp) =>
    assert.throws(() => parseIdx(bytes, 'some-file', 2), corrupt(message));
  const good = idx([2, 2], [1, 2, 3, 4]);
  refuses(new Uint8Array(0), /some-file.*at least 4 bytes, got 0/);
  refuses(good.subarray(0, 8), /header of 12 bytes, got 8/);
  refuses(good.subarray(0, 15), /\[2, 2\] elements take 16 bytes with the header, got 15/);
  refuses(Buffer.concat([good, Buffer.alloc(1)]), /got 17/);
  refuses(idx([2, 2], [1, 2, 3, 4], 13), /magic number 0 0 8 2, got 0 0 13 2/);
  refuses(idx([4], [1, 2, 3, 4]), /got 0 0 8 1/);
  refuses(Buffer.from('<!DOCTYPE html>'), /magic number/);
  refuses(idx([0, 2], []), /sizes must be >= 1, got \[0, 2\]/);
  refuses(idx([2 ** 32 - 1, 2 ** 32 - 1], []), /elements take/);
});

test('images and labels must belong together', () => {
  const images = idx([2, 1, 2], [1, 2, 3, 4]);
  const split = parseSplit(images, idx([2], [9, 0]), 'images', 'labels');
  assert.deepEqual(
    { ...split, images: [...split.images], labels: [...split.labels] },
    { images: [1, 2, 3, 4], labels: [9, 0], count: 2, shape: [1, 2, 1] },
  );
  assert.throws(
    () => parseSplit(images, idx([3], [1, 2, 3]), 'images', 'labels'),
    corrupt(/expected 2 labels, one for each image of images, got 3/),
  );
  assert.throws(
    () => parseSplit(images, idx([2], [1, 10]), 'images', 'labels'),
    corrupt(/below 10, got 10 at 1/),
  );
});

test('the real Fashion-MNIST has its published size and statistics', async (t) => {
  const dataset = await loadFashionMnist({ offline: true }).catch((error: unknown) => {
    if (error instanceof FtwtError && error.code === 'NOT_FOUND') return undefined;
    throw error;
  });
  if (!dataset) return t.skip('Fashion-MNIST is neither in the cache nor installed');
  const { train, test, classes } = dataset;
  assert.deepEqual([train.count, test.count, classes.length], [60000, 10000, 10]);
  assert.deepEqual(train.shape, [28, 28, 1]);
  const perClass = new Array<number>(10).fill(0);
  for (const label of train.labels) perClass[label]++;
  assert.deepEqual(perClass, new Array(10).fill(6000));
  const { mean, std } = channelStatistics(train);
  allClose([mean[0], std[0]], [0.286, 0.353], { absolute: 5e-5 });
  assert.equal(classes[train.labels[0]], 'Ankle boot');
});
