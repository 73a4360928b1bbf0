import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import sharp from 'sharp';
import { loadDataset, loadImageFolder } from '../../src/index.js';
import { createRandom } from '../../src/data/random.js';
import { temporaryFolder } from '../temporaryFolder.js';

type Channels = 1 | 3 | 4;

/** Writes an image of random bytes and returns these. */
async function writeImage(
  path: string,
  { h = 4, w = 5, c = 3 as Channels, seed = 0 } = {},
): Promise<Buffer> {
  const random = createRandom(seed);
  const pixels = Buffer.from(Array.from({ length: h * w * c }, () => random.below(256)));
  mkdirSync(dirname(path), { recursive: true });
  const image = sharp(pixels, { raw: { width: w, height: h, channels: c } });
  await (c === 1 ? image.toColourspace('b-w') : image).toFile(path);
  return pixels;
}

const part = (images: Uint8Array, i: number, size: number) => [
  ...images.subarray(i * size, (i + 1) * size),
];

test('train and test are read in the order of names, PNG to the byte', async () => {
  const root = temporaryFolder();
  const written: Buffer[] = [];
  for (const [seed, file] of ['train/a/1.png', 'train/a/2.PNG', 'train/b/0.png'].entries()) {
    written.push(await writeImage(join(root, file), { seed }));
  }
  const tested = await writeImage(join(root, 'test/b/x.png'), { seed: 9 });
  writeFileSync(join(root, 'train/a/notes.txt'), 'no image');
  writeFileSync(join(root, 'train/a/.hidden.png'), 'no image');
  const progress: number[] = [];
  const dataset = await loadImageFolder(root, {
    onProgress: ({ done, total }) => progress.push(done, total!),
  });
  assert.deepEqual(dataset.classes, ['a', 'b']);
  assert.deepEqual(dataset.train.shape, [4, 5, 3]);
  assert.deepEqual([...dataset.train.labels], [0, 0, 1]);
  assert.deepEqual([...dataset.train.images], [...Buffer.concat(written)]);
  assert.deepEqual([...dataset.test.images], [...tested]);
  assert.deepEqual([...dataset.test.labels], [1]);
  assert.deepEqual(progress, [1, 4, 2, 4, 3, 4, 4, 4]);
  assert.deepEqual(dataset.skipped, []);
});

test('JPEG, grey, alpha and other sizes are brought to what is asked for', async () => {
  const root = temporaryFolder();
  await writeImage(join(root, 'train/a/1.jpg'), { h: 8, w: 8 });
  await writeImage(join(root, 'train/a/2.png'), { h: 6, w: 12, c: 1 });
  await writeImage(join(root, 'train/a/3.png'), { h: 9, w: 3, c: 4 });
  await writeImage(join(root, 'val/a/1.jpeg'), { h: 8, w: 8, c: 1 });
  const rgb = await loadImageFolder(root, { size: [4, 6] });
  assert.deepEqual(rgb.train.shape, [4, 6, 3]);
  const second = part(rgb.train.images, 1, 72);
  for (let i = 0; i < 72; i += 3) {
    assert.ok(second[i] === second[i + 1] && second[i] === second[i + 2], 'grey became RGB');
  }
  const grey = await loadImageFolder(root, { size: [4, 6], channels: 1, fit: 'fill' });
  assert.deepEqual([grey.train.shape, grey.train.images.length], [[4, 6, 1], 72]);
});

test('grey files alone give one channel', async () => {
  const root = temporaryFolder();
  const pixels = await writeImage(join(root, 'train/a/1.png'), { c: 1 });
  await writeImage(join(root, 'test/a/1.png'), { c: 1 });
  const { train } = await loadImageFolder(root);
  assert.deepEqual(train.shape, [4, 5, 1]);
  assert.deepEqual([...train.images], [...pixels]);
});

test('EXIF orientation is applied', async () => {
  const root = temporaryFolder();
  const turned = sharp({ create: { width: 8, height: 4, channels: 3, background: 'red' } });
  mkdirSync(join(root, 'train/a'), { recursive: true });
  await turned.jpeg().withMetadata({ orientation: 6 }).toFile(join(root, 'train/a/1.jpg'));
  await writeImage(join(root, 'test/a/1.png'), { h: 8, w: 4 });
  assert.deepEqual((await loadImageFolder(root)).train.shape, [8, 4, 3]);
});

test('class folders alone are split by testShare, each class alike, reproducibly', async () => {
  const root = temporaryFolder();
  for (const name of ['a', 'b']) {
    for (let i = 0; i < 8; i++)
      await writeImage(join(root, name, `${i}.png`), { h: 1, w: 1, seed: i });
  }
  const load = (seed: number) => loadImageFolder(root, { testShare: 0.25, seed });
  const { train, test, classes } = await load(1);
  assert.deepEqual(classes, ['a', 'b']);
  assert.deepEqual([...train.labels], [0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1]);
  assert.deepEqual([...test.labels], [0, 0, 1, 1]);
  const again = await load(1);
  assert.deepEqual(again.test, test);
  const all = [...train.images, ...test.images].sort().join();
  const other = await load(2);
  assert.notDeepEqual(other.test, test);
  assert.equal([...other.train.images, ...other.test.images].sort().join(), all);
});

test('a corrupt image is an error that names it, or is skipped and listed', async () => {
  const root = temporaryFolder();
  const first = await writeImage(join(root, 'train/a/2.png'), { h: 40, w: 40 });
  const last = await writeImage(join(root, 'train/b/4.png'), { h: 40, w: 40, seed: 1 });
  await writeImage(join(root, 'test/a/1.png'), { h: 40, w: 40 });
  const bad = ['train/a/1.jpg', 'train/a/3.jpg', 'train/b/3.png'].map((file) => join(root, file));
  writeFileSync(bad[0], '');
  writeFileSync(bad[1], 'not a picture');
  writeFileSync(bad[2], readFileSync(join(root, 'train/b/4.png')).subarray(0, 3000));
  await assert.rejects(loadImageFolder(root), {
    code: 'CORRUPT_FILE',
    message: /a.1\.jpg does not decode: the file is empty/,
  });
  const { train, skipped } = await loadImageFolder(root, { skipCorrupt: true });
  assert.deepEqual(skipped, bad);
  assert.deepEqual([...train.labels], [0, 1]);
  assert.ok(Buffer.concat([first, last]).equals(train.images));
  writeFileSync(join(root, 'test/a/1.png'), 'not a picture');
  await assert.rejects(loadImageFolder(root, { skipCorrupt: true }), {
    message: /no image of the test split decodes/,
  });
});

test('a JPEG cut in the middle is corrupt, not half grey', async () => {
  const root = temporaryFolder();
  await writeImage(join(root, 'train/a/1.jpg'), { h: 64, w: 64 });
  await writeImage(join(root, 'test/a/1.jpg'), { h: 64, w: 64 });
  const path = join(root, 'test/a/1.jpg');
  const whole = readFileSync(path);
  writeFileSync(path, whole.subarray(0, whole.length / 2));
  await assert.rejects(loadImageFolder(root), {
    code: 'CORRUPT_FILE',
    message: /test.a.1\.jpg does not decode/,
  });
});

test('another size without `size` is an error that says what to do', async () => {
  const root = temporaryFolder();
  await writeImage(join(root, 'train/a/1.png'));
  await writeImage(join(root, 'test/a/1.png'), { h: 3, w: 7 });
  await assert.rejects(loadImageFolder(root), {
    code: 'INVALID_ARGUMENT',
    message: /test.a.1\.png: expected 4x5 pixels .* got 3x7; give `size`/,
  });
});

test('decoded images are kept, until a file or the settings change or the cache is damaged', async () => {
  const [root, cache] = [temporaryFolder(), temporaryFolder()];
  const file = join(root, 'train/a/1.png');
  await writeImage(file);
  writeFileSync(join(root, 'train/a/2.png'), 'not a picture');
  await writeImage(join(root, 'test/a/1.png'), { seed: 1 });
  const options = { cacheDecoded: true, cacheDirectory: cache, skipCorrupt: true };
  const load = (changes = {}) => loadImageFolder(root, { ...options, ...changes });
  const entries = () =>
    readdirSync(join(cache, 'decoded')).map((name) => join(cache, 'decoded', name));
  const first = await load();
  const kept = entries().map((path) => statSync(path).ino);
  assert.equal(kept.length, 2);
  const steps: number[] = [];
  const progress = { onProgress: ({ done }: { done: number }) => steps.push(done) };
  assert.deepEqual(await load(progress), first);
  assert.deepEqual(steps, [2, 3]);
  assert.deepEqual(
    entries().map((path) => statSync(path).ino),
    kept,
    'the second time nothing is written',
  );
  assert.deepEqual(first.skipped, [join(root, 'train/a/2.png')]);
  await assert.rejects(load({ skipCorrupt: false }), { code: 'CORRUPT_FILE' });
  for (const path of entries()) {
    const bytes = readFileSync(path);
    bytes[bytes.length - 1] ^= 1;
    writeFileSync(path, bytes);
  }
  assert.deepEqual(await load(), first);
  for (const path of entries()) writeFileSync(path, 'x');
  assert.deepEqual(await load(), first);
  assert.deepEqual((await load({ size: [2, 2] })).train.shape, [2, 2, 3]);
  const pixels = await writeImage(file, { seed: 5 });
  assert.deepEqual([...(await load()).train.images], [...pixels]);
  assert.equal(entries().length, 2);
  await load({ cacheDirectory: file }); // not a directory: goes without
});

test('missing and wrongly built folders are refused', async () => {
  const root = temporaryFolder();
  const rejects = (directory: string, code: string, message: RegExp) =>
    assert.rejects(loadImageFolder(join(root, directory)), { code, message });
  await rejects('nothing', 'NOT_FOUND', /nothing cannot be read: ENOENT/);
  writeFileSync(join(root, 'file'), '');
  await rejects('file', 'NOT_FOUND', /ENOTDIR/);
  mkdirSync(join(root, 'empty'));
  await rejects('empty', 'INVALID_ARGUMENT', /expected one directory per class, got none/);
  await writeImage(join(root, 'more/train/a/1.png'));
  await writeImage(join(root, 'more/test/b/1.png'));
  await rejects('more', 'INVALID_ARGUMENT', /test.b: no such class in train/);
  mkdirSync(join(root, 'none/train/a'), { recursive: true });
  await writeImage(join(root, 'none/test/a/1.png'));
  await rejects('none', 'INVALID_ARGUMENT', /train.a: expected JPEG or PNG files, got none/);
  await writeImage(join(root, 'one/a/1.png'));
  await rejects('one', 'INVALID_ARGUMENT', /class a needs at least 2 images/);
});

test('wrong options are refused', async () => {
  const rejects = (options: object, message: RegExp) =>
    assert.rejects(loadImageFolder('.', options), { code: 'INVALID_ARGUMENT', message });
  await rejects({ size: [0, 4] }, /size must be/);
  await rejects({ size: 32 }, /size must be/);
  await rejects({ fit: 'contain' }, /fit must be/);
  await rejects({ channels: 4 }, /channels must be 1 or 3, got 4/);
  await rejects({ testShare: 1 }, /testShare must be/);
  await rejects({ seed: 0.5 }, /seed must be an integer/);
});

test('loadDataset takes every name of its list and no other', async () => {
  const root = temporaryFolder();
  await writeImage(join(root, 'train/a/1.png'));
  await writeImage(join(root, 'test/a/1.png'));
  assert.equal((await loadDataset(`folder:${root}`)).train.count, 1);
  assert.equal((await loadDataset('synthetic', { count: 3, shape: [2, 2, 1] })).train.count, 3);
  for (const kind of ['cifar10', 'cifar100']) {
    await assert.rejects(loadDataset(`${kind}:${root}`), { code: 'NOT_FOUND' });
  }
  for (const name of [
    'mnist',
    '',
    'folder',
    'folder:',
    'cifar10',
    'synthetic:x',
    'fashion-mnist:x',
  ]) {
    await assert.rejects(loadDataset(name), {
      code: 'INVALID_ARGUMENT',
      message: /must be one of fashion-mnist, cifar10:DIR, .*, synthetic, got "/,
    });
  }
});
