/** Sessions from compile to dispose, and what compile refuses about its options. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { before, test } from 'node:test';
import * as tf from '@tensorflow/tfjs';
import { compile, layers as ours, type Session } from '../../src/index.js';
import { binding } from '../../src/binding.js';
import { sanitized } from '../memoryUse.js';
import { invalid } from '../ops/opsHelpers.js';
import { chain, images, modelOf } from './oracle.js';

const shape = [12, 12, 3];
let network: tf.LayersModel;
let values: Float32Array; // of four images
let expected: Float32Array;

before(async () => {
  await tf.setBackend('native');
  const dynamic = (filters: number) =>
    ours.dynamicConv2d({ filters, kernelSize: 3, padding: 'same', activation: 'relu', mass: 0.9 });
  const head = [tf.layers.flatten(), tf.layers.dense({ units: 5 })];
  network = modelOf(shape, chain(dynamic(40), dynamic(40), ...head));
  const x = images(network, 4);
  values = x.dataSync<'float32'>().slice();
  const session = open();
  expected = session.run(x).logits;
  session.dispose();
});

const open = (): Session => compile(network, { maxBatch: 4, measure: false, threads: 2 });

function isDisposed(session: Session): void {
  invalid(() => session.run(values), 'Session.run: the session is disposed');
  invalid(() => session.profile(values), 'Session.profile: the session is disposed');
  invalid(() => session.memoryBytes, 'Session.memoryBytes: the session is disposed');
}

const disposedError = {
  name: 'FtwtError',
  code: 'INVALID_ARGUMENT',
  message: 'Session.runAsync: the session is disposed',
};

test('dispose may be called twice, and nothing runs after it', async () => {
  const session = open();
  session.run(values);
  session.dispose();
  session.dispose();
  isDisposed(session);
  await assert.rejects(session.runAsync(values), disposedError);
  session.dispose();
});

test('runs in flight end as they would have, when the session is disposed meanwhile', async () => {
  for (let round = 0; round < 20; round++) {
    const session = open();
    const flights = Array.from({ length: 9 }, () => session.runAsync(values));
    if (round % 2 === 1) await flights[0];
    session.dispose();
    isDisposed(session);
    for (const { logits } of await Promise.all(flights)) assert.deepEqual(logits, expected);
    await assert.rejects(session.runAsync(values), disposedError);
  }
});

test('a run that still reads its tensor is refused when the session is disposed', async () => {
  const session = open();
  const flight = session.runAsync(tf.tensor(values, [4, ...shape]));
  session.dispose();
  await assert.rejects(flight, disposedError);
});

test('a session that is forgotten while its runs are in flight', async () => {
  const flights = Array.from({ length: 20 }, () => {
    const session = compile(network, { maxBatch: 4, measure: false });
    return session.runAsync(values.slice());
  });
  globalThis.gc!();
  for (const { logits } of await Promise.all(flights)) assert.deepEqual(logits, expected);
});

test('memoryBytes counts weights and the working memory of runs at once', async () => {
  const session = open();
  const { memoryBytes } = session;
  const weights = 4 * (9 * 3 * 40 + 9 * 40 * 40 + 144 * 40 * 5);
  const values40 = 4 * (4 * 144 * 40);
  assert.ok(memoryBytes > weights + values40, `${memoryBytes} bytes`);
  assert.ok(memoryBytes < 4 * (weights + 3 * values40), `${memoryBytes} bytes`);
  session.run(values);
  assert.equal(session.memoryBytes, memoryBytes, 'one run at a time needs no more');
  await Promise.all(Array.from({ length: 50 }, () => session.runAsync(values)));
  assert.ok(session.memoryBytes <= weights * 4 + 4 * memoryBytes, 'four runs at once at most');
  session.dispose();
});

test('a large maxBatch costs nothing until it is used', () => {
  for (const maxBatch of [1, 33, 2 ** 20, 2 ** 27]) {
    const session = compile(network, { maxBatch, measure: false, threads: 2 });
    assert.equal(session.maxBatch, maxBatch);
    assert.ok(session.memoryBytes < 5e6, `maxBatch ${maxBatch}: ${session.memoryBytes} bytes`);
    const n = Math.min(maxBatch, 4);
    assert.equal(session.run(values.subarray(0, (n * values.length) / 4)).batch, n);
    session.dispose();
  }
});

test('maxBatch that no session can have', () => {
  for (const maxBatch of [0, -1, 1.5, NaN, Infinity, '8', null]) {
    invalid(
      () => compile(network, { maxBatch: maxBatch as number }),
      'compile: maxBatch must be an integer >= 1, got ',
    );
  }
  const large = '[12, 12, 40] is too large for maxBatch 2147483647';
  invalid(() => compile(network, { maxBatch: 2 ** 31 - 1 }), large);
  for (const maxBatch of [2 ** 31, 2 ** 53 - 1]) {
    invalid(() => compile(network, { maxBatch }), 'maxBatch: must be 1 to 2^31 - 1, got ');
  }
  invalid(() => compile(network, { maxBatch: 2 ** 53 }), 'maxBatch: expected an integer >= 0');
  invalid(() => compile(network, { threads: 0 }), 'threads');
  invalid(() => compile(network, { threads: 1.5 }), 'threads');
});

test('a network whose working memory cannot be had is an error, and not a crash', () => {
  // 2^28 pixels of 64 channels: 64 GiB for an image. The limit holds where the system would promise more than it has.
  const { code, message, blocks } = limited(`
    const conv = tf.layers.conv2d({ filters: 64, kernelSize: 1 });
    const huge = modelOf([2 ** 14, 2 ** 14, 1], chain(conv));
    const { liveBlocks } = binding.info();
    try {
      ftwt.compile(huge, { measure: false });
    } catch ({ code, message }) {
      const blocks = binding.info().liveBlocks - liveBlocks;
      console.log(JSON.stringify({ code, message, blocks }));
    }`);
  assert.deepEqual({ code, blocks }, { code: 'OUT_OF_MEMORY', blocks: 0 });
  assert.match(message, /^Cannot allocate \d+ bytes of host memory$/);
});

/** Of 6 MB each: large enough for huge pages, which the blocks of one session share. */
test('sessions of many weights come and go in any order', () => {
  const large = modelOf(
    [4, 4, 96],
    chain(...[512, 512, 1024].map((filters) => tf.layers.conv2d({ filters, kernelSize: 1 }))),
  );
  const x = images(large, 3);
  const input = x.dataSync<'float32'>().slice();
  const { liveBlocks } = binding.info();
  const run = (session: Session) => session.run(input).logits;
  const opened = () => compile(large, { maxBatch: 3, measure: false });
  const first = opened();
  const logits = run(first);
  for (const order of [
    [0, 1, 2],
    [2, 1, 0],
    [1, 2, 0],
  ]) {
    const sessions = [opened(), opened(), opened()];
    for (const i of order) {
      for (const other of sessions) assert.deepEqual(run(other), logits);
      sessions[i].dispose();
      sessions[i] = opened();
    }
    for (const session of sessions) session.dispose();
  }
  assert.deepEqual(run(first), logits);
  first.dispose();
  assert.equal(binding.info().liveBlocks, liveBlocks);
  x.dispose();
});

/** Runs a script in a process that may have 100 GB of address space; gives the JSON that it prints. */
function limited(body: string) {
  const module = (path: string) => JSON.stringify(join(__dirname, '../..', path));
  const script = `
    const tf = require(${JSON.stringify(require.resolve('@tensorflow/tfjs'))});
    const ftwt = require(${module('src/index.js')});
    const { binding } = require(${module('src/binding.js')});
    const { chain, modelOf } = require(${module('test/session/oracle.js')});
    tf.setBackend('native').then(() => { ${body} });`;
  const limit = sanitized ? '' : 'ulimit -v 100000000;'; // AddressSanitizer reserves terabytes, and refuses itself
  const { stdout, stderr } = spawnSync(
    'bash',
    ['-c', `${limit} exec "$0" -e "$1"`, process.execPath, script],
    { encoding: 'utf8' },
  );
  assert.notEqual(stdout, '', stderr);
  return JSON.parse(stdout);
}

test('options that do not fit', () => {
  const wrong: [Record<string, unknown>, string][] = [
    [{ measure: 1 }, 'measure'],
    [{ precision: 'fp16' }, 'precision'],
    [{ precision: 'tf32' }, 'precision tf32 needs a GPU, got device native'],
    [{ device: 'gpu' }, 'expected device native, cuda, cuda:N or emulator, got "gpu"'],
    [{ device: 'native:1' }, 'expected device native, cuda, cuda:N or emulator, got "native:1"'],
  ];
  for (const [options, message] of wrong) invalid(() => compile(network, options), message);
});

test('what is no session of the addon is refused', () => {
  const fields = { images: values, output: expected.slice(), n: 4 };
  for (const handle of [undefined, null, {}, 7, new Float32Array(4)]) {
    invalid(() => binding.sessionRun(handle as never, fields as never), 'Expected a session');
    invalid(() => binding.sessionDispose(handle as never), 'Expected a session');
  }
  const device = compile(network, { measure: false });
  const { handle } = device as unknown as { handle: never };
  invalid(() => binding.sessionRun(handle, {} as never), 'n: expected a number');
  invalid(() => binding.sessionRun(handle, { ...fields, n: 33 } as never), 'n: expected 1 to 32');
  invalid(
    () => binding.sessionRun(handle, { ...fields, n: 5 } as never),
    'images: expected at least',
  );
  device.dispose();
});
