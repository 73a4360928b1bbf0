/**
 * What a session on a GPU does beyond its results: graphs that are run again, runs at the same time, pieces, memory,
 * errors. On the emulator, or on the GPU that FTWT_TEST_DEVICE names.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import * as tf from '@tensorflow/tfjs';
import { binding, emulatorBinding } from '../../src/binding.js';
import { compile, layers as ours, makeDynamic, vggSmall, type Session } from '../../src/index.js';
import { eachSchedule } from '../devices.js';
import { chain, closeLogits, images, masksOf, modelOf, predict, scatter } from './oracle.js';

const { layers } = tf;
const memoryLimit = 64 * 2 ** 20;
process.env.FTWT_EMULATOR_MEMORY = String(memoryLimit); // read when the emulator is loaded
const device = process.env.FTWT_TEST_DEVICE?.startsWith('cuda')
  ? process.env.FTWT_TEST_DEVICE
  : 'emulator';
const addon = device === 'emulator' ? emulatorBinding() : binding;
const context = addon.deviceOpen(Number(device.split(':')[1] ?? 0));
const freeBytes = () => addon.deviceMemory(context).free;

const dynamic = (filters: number, args: Partial<ours.DynamicConv2dConfig> = {}) =>
  ours.dynamicConv2d({
    ...{ filters, kernelSize: 3, padding: 'same', activation: 'relu', mass: 0.9, ...args },
  });
const depthwise = () =>
  ours.dynamicDepthwiseConv2d({
    ...{ kernelSize: 3, padding: 'same', activation: 'relu', mass: 0.9, depthMultiplier: 2 },
  });
const head = () => [layers.globalMaxPooling2d({} as never), layers.dense({ units: 4 })];

/** Packed values through every kind of step that takes them; 70 channels are more than a tile has. */
const mixed = () =>
  modelOf(
    [9, 7, 3],
    chain(
      dynamic(70),
      layers.maxPooling2d({ poolSize: 3, strides: 2, padding: 'same' }),
      dynamic(10, { kernelSize: 1 }),
      depthwise(),
      layers.averagePooling2d({ poolSize: 2, strides: 1 }),
      dynamic(6),
      ...head(),
    ),
  );

function values(model: tf.LayersModel, n: number, seed?: number): Float32Array {
  const x = images(model, n, seed);
  const copy = x.dataSync<'float32'>().slice();
  x.dispose();
  return copy;
}

/** One run against the tfjs model. */
function checkRun(session: Session, model: tf.LayersModel, n: number, label: string): void {
  const x = images(model, n);
  const expected = predict(model, x);
  const result = session.run(x, { masks: true });
  closeLogits(result.logits, expected.logits, label);
  const masks = masksOf(result, session.dynamicLayers, session.maskWidth);
  for (const [name, mask] of expected.masks) assert.deepEqual(masks.get(name), mask, label);
  x.dispose();
}

test('graphs of several sizes, run in turns', () => {
  const model = mixed();
  const session = compile(model, { maxBatch: 5, device });
  for (const n of [1, 5, 2, 5, 1, 3, 2]) checkRun(session, model, n, `batch ${n}`);
  const x = values(model, 2);
  const { logits, masks } = session.run(x, { masks: true });
  assert.deepEqual(session.run(x, { forcedMasks: masks }).logits, logits, 'forced masks');
  assert.deepEqual(session.run(x).logits, logits, 'after forced masks');
  session.dispose();
});

test('images that are uploaded in pieces', () => {
  const side = 600; // three images are more than 2^20 floats
  const model = modelOf(
    [side, side, 1],
    chain(layers.maxPooling2d({ poolSize: 50 }), layers.flatten(), layers.dense({ units: 4 })),
  );
  const session = compile(model, { maxBatch: 4, device });
  for (const n of [3, 1, 4, 3]) checkRun(session, model, n, `batch ${n}`);
  session.dispose();
});

test('sums of splits have the same bits, shared by blocks or not', () => {
  const model = modelOf([2, 2, 64], chain(dynamic(64), dynamic(64), layers.flatten()));
  const maxBatch = device === 'emulator' ? 40 : 400; // fills the device without splits
  const session = compile(model, { maxBatch, device });
  const x = values(model, maxBatch);
  const { logits, masks } = session.run(x, { masks: true });
  const floats = x.length / maxBatch;
  // With one channel between the layers, splits of the second have nothing to add.
  const single = masks!.map((_, i) => (i % 128 === 5 || i % 128 >= 64 ? 1 : 0));
  const singleLogits = session.run(x, { forcedMasks: single }).logits;
  for (const n of [1, 3]) {
    const images = x.subarray(0, n * floats);
    const few = session.run(images, { masks: true });
    assert.deepEqual(few.masks, masks!.subarray(0, few.masks!.length), `masks of ${n}`);
    assert.deepEqual(few.logits, logits.subarray(0, few.logits.length), `logits of ${n}`);
    const forced = session.run(images, { forcedMasks: single.subarray(0, n * 128) }).logits;
    assert.deepEqual(forced, singleLogits.subarray(0, forced.length), `one channel, ${n}`);
  }
  session.dispose();
});

/** Of `c` channels, `count` that are spread over all of them. */
const spread = (c: number, count: number) =>
  Array.from({ length: c }, (_, i) =>
    Math.floor(((i + 1) * count) / c) > Math.floor((i * count) / c) ? 1 : 0,
  );

test('any number of active channels', () => {
  const c = 150;
  const model = modelOf([5, 5, 6], chain(dynamic(c, { kernelSize: 1 }), dynamic(c), ...head()));
  const counts = [0, 1, 16, 17, 32, 33, 64, 65, 130, 150];
  const session = compile(model, { maxBatch: counts.length, device });
  const onHost = compile(model, { maxBatch: counts.length, device: 'native' });
  const forcedMasks = Uint8Array.from(
    counts.flatMap((count, i) => [...spread(c, count), ...spread(c, counts.at(-1 - i)!)]),
  );
  const x = values(model, counts.length);
  const { logits, activeCounts } = session.run(x, { forcedMasks });
  closeLogits(logits, onHost.run(x, { forcedMasks }).logits, 'logits');
  assert.deepEqual(
    [...activeCounts].filter((_, i) => i % 2 === 0),
    counts,
  );
  session.dispose();
  onHost.dispose();
});

test('tiles of every size give the same bits', () => {
  const c = 70;
  const model = modelOf([16, 16, 20], chain(dynamic(c, { kernelSize: 1 }), ...head()));
  const maxBatch = device === 'emulator' ? 8 : 66; // large tiles; medium ones for one image
  const session = compile(model, { maxBatch, device });
  const x = values(model, maxBatch);
  const forcedMasks = Uint8Array.from(Array.from({ length: maxBatch }, () => spread(c, 65)).flat());
  const { logits } = session.run(x, { forcedMasks });
  const image = x.subarray(0, x.length / maxBatch);
  const alone = session.run(image, { forcedMasks: forcedMasks.subarray(0, c) }).logits;
  assert.deepEqual(alone, logits.subarray(0, alone.length));
  session.dispose();
});

test('every order of threads gives the same bits', () => {
  if (device !== 'emulator') return;
  const model = mixed();
  const session = compile(model, { maxBatch: 2, device });
  const x = values(model, 2);
  const { logits, masks } = session.run(x, { masks: true });
  for (const order of eachSchedule()) {
    const again = session.run(x, { masks: true });
    assert.deepEqual(again.logits, logits, order);
    assert.deepEqual(again.masks, masks, order);
  }
  session.dispose();
});

test('a predictor of a large image, which more than one block pools', () => {
  for (const pooling of ['max', 'average'] as const) {
    const options = { pooling, kernelSize: 1 };
    const model = modelOf([66, 66, 3], chain(dynamic(16, options), dynamic(5, options), ...head()));
    const session = compile(model, { maxBatch: 2, device });
    checkRun(session, model, 2, pooling);
    session.dispose();
  }
});

test('an input of NaN', () => {
  const model = mixed();
  const session = compile(model, { maxBatch: 2, device });
  const x = values(model, 2);
  x[5] = NaN;
  const clean = session.run(values(model, 2), { masks: true });
  const { logits, masks } = session.run(x, { masks: true });
  const { maskWidth } = session;
  const first = session.dynamicLayers[0].channels;
  assert.ok(
    masks!.slice(0, first).every((value) => value === 0),
    'the first predictor sees it',
  );
  assert.deepEqual(masks!.slice(maskWidth), clean.masks!.slice(maskWidth), 'the other image');
  assert.deepEqual(logits.slice(4), clean.logits.slice(4), 'the other image');
  session.dispose();

  const dense = modelOf([6, 6, 3], chain(layers.conv2d({ filters: 5, kernelSize: 3 }), ...head()));
  const unpruned = compile(dense, { maxBatch: 2, device });
  const y = values(dense, 2);
  y[5] = NaN;
  const result = unpruned.run(y).logits;
  assert.ok(result.slice(0, 4).every(Number.isNaN));
  assert.ok(result.slice(4).every(Number.isFinite));
  unpruned.dispose();
});

test('runs at the same time, and a session that is disposed meanwhile', async () => {
  const model = mixed();
  const session = compile(model, { maxBatch: 3, device });
  const inputs = [1, 3, 2, 3, 1, 2].map((n, i) => values(model, n, i));
  const expected = inputs.map((x) => session.run(x, { masks: true }));
  const results = await Promise.all(inputs.map((x) => session.runAsync(x, { masks: true })));
  results.forEach(({ logits, masks }, i) => {
    assert.deepEqual(logits, expected[i].logits);
    assert.deepEqual(masks, expected[i].masks);
  });
  const last = inputs.map((x) => session.runAsync(x));
  session.dispose();
  (await Promise.all(last)).forEach(({ logits }, i) =>
    assert.deepEqual(logits, expected[i].logits),
  );
});

test('a run of more images than a workspace has room for goes in pieces', () => {
  const model = modelOf(
    [64, 64, 8],
    chain(layers.maxPooling2d({ poolSize: 8 }), dynamic(5), ...head()),
  );
  const session = compile(model, { maxBatch: 80, device });
  if (device === 'emulator') assert.ok(session.memoryBytes < memoryLimit / 4);
  checkRun(session, model, 80, 'pieces');
  const x = values(model, 80);
  const floats = x.length / 80;
  const turned = new Float32Array(x.length);
  turned.set(x.subarray(7 * floats));
  turned.set(x.subarray(0, 7 * floats), 73 * floats);
  const { logits } = session.run(x);
  const other = session.run(turned).logits;
  assert.deepEqual(other.slice(0, 73 * 4), logits.slice(7 * 4), 'in other pieces');
  session.dispose();
});

test('the device has its memory back after a dispose', async () => {
  const model = mixed();
  const x = values(model, 4);
  // Other processes take gigabytes of a GPU and give them back meanwhile: what would leak is more.
  const [cycles, maxBatch, noise] = device === 'emulator' ? [4, 4, 0] : [100, 8192, 8 * 2 ** 30];
  const free = [freeBytes()];
  for (let i = 0; i < cycles; i++) {
    const session = compile(model, { maxBatch, device });
    assert.ok(session.memoryBytes > (2 * noise) / cycles);
    if (device === 'emulator') assert.equal(free[0] - freeBytes(), session.memoryBytes);
    session.run(x);
    await Promise.all([session.runAsync(x), session.runAsync(x), session.runAsync(x)]);
    session.profile(x);
    session.dispose();
    session.dispose();
    await setImmediate();
    free.push(freeBytes());
  }
  if (device === 'emulator') return assert.equal(new Set(free).size, 1);
  assert.ok(free[0] - free[cycles] < noise, free.join(', '));
});

test('out of memory is an error, and nothing leaks', () => {
  if (device !== 'emulator') return; // elsewhere others may use the device
  const model = scatter(makeDynamic(vggSmall({ seed: 1 }), { mass: 0.9 }));
  const before = freeBytes();
  const block = addon.deviceAllocate(context, before - 2 ** 18);
  assert.throws(() => compile(model, { maxBatch: 4, device }), { code: 'OUT_OF_MEMORY' });
  addon.deviceRelease(block);
  addon.deviceTrim(context);
  assert.equal(freeBytes(), before);

  const session = compile(model, { maxBatch: 2, device });
  const full = addon.deviceAllocate(context, freeBytes());
  const x = values(model, 2);
  assert.throws(() => session.run(x), { code: 'OUT_OF_MEMORY' }, 'scratch');
  addon.deviceRelease(full);
  addon.deviceTrim(context);
  checkRun(session, model, 2, 'after an error');
  session.dispose();
  assert.equal(freeBytes(), before);
});

test('TF32 on the tensor cores', () => {
  const model = mixed();
  const session = compile(model, { maxBatch: 2, device, precision: 'tf32' });
  const x = values(model, 2);
  const exact = compile(model, { maxBatch: 2, device });
  const { masks, logits } = exact.run(x, { masks: true });
  const rounded = session.run(x, { forcedMasks: masks }).logits;
  const largest = logits.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  const worst = rounded.reduce((most, value, i) => Math.max(most, Math.abs(value - logits[i])), 0);
  assert.ok(worst > 0 && worst < 1e-2 * largest, `${worst} of ${largest}`);
  session.dispose();
  exact.dispose();
});

test('a device that is not there', () => {
  const model = modelOf([2], chain(layers.dense({ units: 1 })));
  const count = addon.cudaDevices().devices.length;
  const kind = device.split(':')[0];
  assert.throws(() => compile(model, { device: `${kind}:${count}` }), { code: 'NO_DEVICE' });
  if (binding.cudaDevices().devices.length > 0) return;
  assert.throws(() => compile(model, { device: 'cuda' }), { code: 'NO_DEVICE' });
});
