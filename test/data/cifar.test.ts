import assert from 'node:assert/strict';
import { mkdirSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { loadCifar10, loadCifar100 } from '../../src/index.js';
import { cifar100Layout, cifar10Layout, loadCifar } from '../../src/data/cifar.js';
import { temporaryFolder } from '../temporaryFolder.js';

const small10 = { ...cifar10Layout, trainRecords: 3, testRecords: 2 };
const small100 = (labels: 'fine' | 'coarse') => ({
  ...cifar100Layout(labels),
  trainRecords: 3,
  testRecords: 2,
});

const byteAt = (file: number, image: number, channel: number, pixel: number) =>
  (file * 41 + image * 17 + channel * 5 + pixel * 3) & 255;

/** One file of records whose bytes all follow from where they are. */
function records(file: number, labels: number[][]): Buffer {
  return Buffer.concat(
    labels.map((label, image) => {
      const pixels = Array.from({ length: 3072 }, (_, i) =>
        byteAt(file, image, Math.floor(i / 1024), i % 1024),
      );
      return Buffer.from([...label, ...pixels]);
    }),
  );
}

function writeCifar10(directory: string): void {
  mkdirSync(directory, { recursive: true });
  for (const [file, name] of [...cifar10Layout.train, ...cifar10Layout.test].entries()) {
    const labels = [[file], [9 - file], [1]].slice(0, file < 5 ? 3 : 2);
    writeFileSync(join(directory, name), records(file, labels));
  }
  const names = Array.from({ length: 10 }, (_, i) => `name ${i}`);
  writeFileSync(join(directory, 'batches.meta.txt'), names.join('\n') + '\n\n');
}

function writeCifar100(directory: string): void {
  const labels = [
    [19, 99],
    [0, 5],
    [7, 0],
  ];
  writeFileSync(join(directory, 'train.bin'), records(0, labels));
  writeFileSync(join(directory, 'test.bin'), records(1, labels.slice(0, 2)));
  for (const [kind, count] of [
    ['fine', 100],
    ['coarse', 20],
  ] as const) {
    const names = Array.from({ length: count }, (_, i) => `${kind}_${i}`);
    writeFileSync(join(directory, `${kind}_label_names.txt`), names.join('\n') + '\n');
  }
}

test('planes become interleaved channels, files follow one another', async () => {
  const directory = temporaryFolder();
  writeCifar10(directory);
  const { train, test, classes, name } = await loadCifar(directory, small10);
  assert.equal(name, 'cifar10');
  assert.deepEqual([train.count, test.count, train.shape], [15, 2, [32, 32, 3]]);
  assert.deepEqual([...train.labels], [0, 9, 1, 1, 8, 1, 2, 7, 1, 3, 6, 1, 4, 5, 1]);
  assert.deepEqual([...test.labels], [5, 4]);
  assert.equal(classes[9], 'name 9');
  for (let i = 0; i < train.images.length; i++) {
    const [image, pixel, channel] = [Math.floor(i / 3072), Math.floor((i % 3072) / 3), i % 3];
    assert.equal(train.images[i], byteAt(Math.floor(image / 3), image % 3, channel, pixel));
  }
});

test('the directory inside the official archive is found', async () => {
  const directory = temporaryFolder();
  writeCifar10(join(directory, 'cifar-10-batches-bin'));
  assert.equal((await loadCifar(directory, small10)).train.count, 15);
});

test('CIFAR-100 has fine and coarse labels', async () => {
  const directory = temporaryFolder();
  writeCifar100(directory);
  const fine = await loadCifar(directory, small100('fine'));
  assert.deepEqual([...fine.train.labels], [99, 5, 0]);
  assert.equal(fine.classes[99], 'fine_99');
  assert.equal(fine.train.images[1], byteAt(0, 0, 1, 0));
  const coarse = await loadCifar(directory, small100('coarse'));
  assert.deepEqual([...coarse.train.labels], [19, 0, 7]);
  assert.equal(coarse.classes.length, 20);
});

test('missing, truncated and wrong files are errors that name the file', async () => {
  const directory = temporaryFolder();
  const rejects = async (spoil: () => void, code: string, message: RegExp) => {
    writeCifar10(directory);
    spoil();
    await assert.rejects(loadCifar(directory, small10), { name: 'FtwtError', code, message });
  };
  const path = (name: string) => join(directory, name);
  await rejects(
    () => rmSync(path('data_batch_3.bin')),
    'NOT_FOUND',
    /data_batch_3\.bin cannot be read: ENOENT[^]*Unpack the binary version/,
  );
  await rejects(
    () => truncateSync(path('test_batch.bin'), 6145),
    'CORRUPT_FILE',
    /test_batch\.bin: expected 6146 bytes \(2 images\), got 6145/,
  );
  await rejects(
    () => writeFileSync(path('data_batch_1.bin'), records(0, [[1], [10], [2]])),
    'CORRUPT_FILE',
    /data_batch_1\.bin: labels must be below 10, got 10 at image 1/,
  );
  await rejects(
    () => writeFileSync(path('batches.meta.txt'), 'one\ntwo\n'),
    'CORRUPT_FILE',
    /expected 10 class names, got 2/,
  );
});

test('the public loaders expect the official sizes', async () => {
  const directory = temporaryFolder();
  writeCifar10(directory);
  writeCifar100(directory);
  await assert.rejects(loadCifar10(directory), { message: /expected 30730000 bytes/ });
  await assert.rejects(loadCifar100(directory), { message: /expected 153700000 bytes/ });
  await assert.rejects(loadCifar100(directory, { labels: 'both' as 'fine' }), {
    code: 'INVALID_ARGUMENT',
  });
  await assert.rejects(loadCifar10(join(directory, 'nothing')), { code: 'NOT_FOUND' });
});
