/** What a run takes and what it refuses. */
import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import * as tf from '@tensorflow/tfjs';
import { compile, layers as ours, type FtwtError, type Session } from '../../src/index.js';
import { invalid } from '../ops/opsHelpers.js';
import { chain, images, modelOf } from './oracle.js';

const shape = [7, 5, 3];
const floats = 7 * 5 * 3;
const maxBatch = 4;
const classes = 6;

let session: Session;
let values: Float32Array; // three images
let expected: Float32Array;
let maskWidth: number;

before(async () => {
  await tf.setBackend('native');
  const dynamic = (filters: number) =>
    ours.dynamicConv2d({
      ...{ filters, kernelSize: 3, padding: 'same', activation: 'relu', mass: 0.9 },
    });
  const head = [tf.layers.flatten(), tf.layers.dense({ units: classes })];
  const model = modelOf(shape, chain(dynamic(9), dynamic(11), ...head));
  session = compile(model, { maxBatch, measure: false });
  values = images(model, 3).dataSync<'float32'>().slice();
  const result = session.run(values, { masks: true });
  expected = result.logits;
  maskWidth = session.maskWidth;
  assert.ok(result.masks!.includes(0) && result.masks!.includes(1));
});

/** Asserts that both ways to run refuse, and that the session goes on. */
async function refused(
  input: unknown,
  message: string,
  options: Record<string, unknown> = {},
): Promise<void> {
  invalid(() => session.run(input as Float32Array, options), message);
  invalid(() => session.profile(input as Float32Array, options), message);
  await assert.rejects(session.runAsync(input as Float32Array, options), (error: FtwtError) => {
    assert.equal(error.code, 'INVALID_ARGUMENT');
    assert.ok(error.message.includes(message), `"${error.message}" lacks "${message}"`);
    return true;
  });
  assert.deepEqual(session.run(values).logits, expected);
}

test('sizes that do not fit', async () => {
  const size = `input must be images of ${floats} values ([7, 5, 3])`;
  for (const length of [0, 1, floats - 1, floats + 1, 2 * floats - 1]) {
    await refused(new Float32Array(length), `${size}, got ${length} values`);
  }
  const most = 'expected at most 4 images (maxBatch of compile), got 5';
  await refused(new Float32Array(5 * floats), most);
  await refused(tf.zeros([5, ...shape]), most);
  await refused(tf.zeros([0, ...shape]), `${size}, got 0 values`);
  await refused(tf.zeros([floats]), 'input must be [n, 7, 5, 3], got [105]');
  await refused(tf.zeros(shape), 'input must be [n, 7, 5, 3], got [7, 5, 3]');
  await refused(tf.zeros([1, 5, 7, 3]), 'input must be [n, 7, 5, 3], got [1, 5, 7, 3]');
  await refused(tf.zeros([1, 1, ...shape]), 'input must be [n, 7, 5, 3], got [1, 1, 7, 5, 3]');
});

test('types that do not fit', async () => {
  const typed = 'input must be a Float32Array or a tensor, got ';
  await refused(undefined, `${typed}undefined`);
  await refused(null, `${typed}null`);
  await refused([...values], `${typed}Array`);
  await refused(new Float64Array(floats), `${typed}Float64Array`);
  await refused(new Uint8Array(floats), `${typed}Uint8Array`);
  await refused(values.buffer, `${typed}ArrayBuffer`);
  await refused(Object.create(null), `${typed}an object`);
  await refused(tf.zeros([1, ...shape], 'int32'), 'input must be float32, got int32');
  await refused(tf.zeros([1, ...shape], 'bool'), 'input must be float32, got bool');
  const disposed = tf.zeros([1, ...shape]);
  disposed.dispose();
  await refused(disposed, 'input is disposed');
});

test('outputs and forced masks that do not fit', async () => {
  const outputs = `output must be a Float32Array of ${3 * classes} values, got `;
  await refused(values, `${outputs}17`, { output: new Float32Array(17) });
  await refused(values, `${outputs}24`, { output: new Float32Array(24) });
  await refused(values, `${outputs}Float64Array`, { output: new Float64Array(18) });
  await refused(values, `${outputs}null`, { output: null });
  const masks = `forcedMasks must be a Uint8Array of ${3 * maskWidth} values, got `;
  await refused(values, `${masks}${maskWidth}`, { forcedMasks: new Uint8Array(maskWidth) });
  await refused(values, `${masks}Array`, { forcedMasks: new Array(3 * maskWidth).fill(1) });
  const two = new Uint8Array(3 * maskWidth);
  two[7] = 2;
  await refused(values, 'forcedMasks must be 0 or 1, got 2', { forcedMasks: two });
});

test('arrays whose memory has gone elsewhere', async () => {
  const gone = values.slice();
  structuredClone(gone, { transfer: [gone.buffer] });
  await refused(gone, 'got 0 values');
  const output = new Float32Array(3 * classes);
  structuredClone(output, { transfer: [output.buffer] });
  await refused(values, 'got 0', { output });
  const forcedMasks = new Uint8Array(3 * maskWidth);
  structuredClone(forcedMasks, { transfer: [forcedMasks.buffer] });
  await refused(values, 'got 0', { forcedMasks });
});

/** Runs in both ways into `output`. */
async function bothWays(input: Float32Array | tf.Tensor, output?: Float32Array): Promise<void> {
  assert.deepEqual(session.run(input, { output }).logits, expected);
  output?.fill(-1);
  const { logits } = await session.runAsync(input, { output });
  assert.deepEqual(logits, expected);
  if (output !== undefined) assert.equal(logits, output);
}

test('views into larger buffers, and no byte written beside them', async () => {
  for (const offset of [1, 3, 16, 17]) {
    const room = new Float32Array(values.length + offset + 1).fill(NaN);
    room.set(values, offset);
    const outputs = new Float32Array(expected.length + offset + 3).fill(7);
    const output = outputs.subarray(offset, offset + expected.length);
    await bothWays(room.subarray(offset, offset + values.length), output);
    assert.ok(outputs.subarray(0, offset).every((value) => value === 7));
    assert.ok(outputs.subarray(offset + expected.length).every((value) => value === 7));
  }
});

test('forced masks in a view', () => {
  const forced = session.run(values, { masks: true }).masks!;
  const room = new Uint8Array(forced.length + 5).fill(9);
  room.set(forced, 3);
  const forcedMasks = room.subarray(3, 3 + forced.length);
  assert.deepEqual(session.run(values, { forcedMasks }).logits, expected);
});

test('shared memory, of images and of logits', async () => {
  const shared = new Float32Array(new SharedArrayBuffer(values.byteLength));
  shared.set(values);
  const output = new Float32Array(new SharedArrayBuffer(expected.byteLength));
  await bothWays(shared, output);
});

test('a subclass of Float32Array', async () => {
  class Pixels extends Float32Array {}
  await bothWays(new Pixels(values));
});

test('output that is the input', async () => {
  const model = modelOf([4, 4, 2], chain(tf.layers.conv2d({ filters: 2, kernelSize: 1 })));
  const inPlace = compile(model, { measure: false });
  const x = images(model, 9).dataSync<'float32'>().slice();
  const { logits } = inPlace.run(x);
  assert.deepEqual(inPlace.run(x, { output: x }).logits, logits);
  inPlace.dispose();
});

test('tensors of any backend, sliced ones too', async () => {
  for (const backend of ['cpu', 'native', 'emulator']) {
    assert.ok(await tf.setBackend(backend), `${backend} does not start`);
    const x = tf.tensor(values.slice(), [3, ...shape]);
    const moved = tf.tidy(() => tf.neg(tf.neg(x)));
    const sliced = tf.tidy(() => tf.slice(tf.concat([x, x]), [3, 0, 0, 0], [3, -1, -1, -1]));
    for (const other of ['cpu', 'native']) {
      await tf.setBackend(other);
      for (const tensor of [x, moved, sliced]) await bothWays(tensor);
    }
    tf.dispose([x, moved, sliced]);
  }
  await tf.setBackend('native');
});

test('a tensor that is disposed while its run is in flight', async () => {
  const x = tf.tensor(values.slice(), [3, ...shape]);
  const flight = session.runAsync(x);
  x.dispose();
  for (let i = 0; i < 20; i++) tf.tidy(() => void tf.add(tf.fill([3, ...shape], 5), 1));
  assert.deepEqual((await flight).logits, expected);
});
