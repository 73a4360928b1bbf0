/**
 * What a device backend does beyond its kernels: where data are, waiting, memory, errors. On the emulator, or on the GPU
 * that FTWT_TEST_DEVICE names.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import * as tf from '@tensorflow/tfjs';
import type { DeviceBackend, DeviceMemoryInfo } from '../../src/backend/deviceBackend.js';
import { deviceInfo, setDevice, setPrecision } from '../../src/index.js';

process.env.FTWT_EMULATOR_MEMORY = String(64 * 2 ** 20); // read when the emulator is loaded
const device = process.env.FTWT_TEST_DEVICE?.startsWith('cuda') ? 'cuda' : 'emulator';
void tf.setBackend(device);
const backend = tf.backend() as DeviceBackend;
const bytesOnDevice = () => (tf.memory() as unknown as DeviceMemoryInfo).numBytesInGPU;

test('data stay on the device until they are read, and both copies serve', async () => {
  const x = tf.tensor1d([1, -2, 3]);
  assert.ok(backend.hostValues(x) !== undefined, 'not uploaded before a kernel needs it');
  const before = bytesOnDevice();
  const y = tf.relu(x);
  const z = tf.add(y, y);
  assert.equal(backend.hostValues(z), undefined);
  assert.ok(bytesOnDevice() > before);
  assert.deepEqual(Array.from(await z.data()), [2, 0, 6]);
  assert.equal(backend.hostValues(z), undefined, 'reading leaves no copy');
  tf.tidy(() => assert.deepEqual(Array.from(tf.cumsum(z).dataSync()), [2, 2, 8])); // a kernel of the host
  assert.ok(backend.hostValues(z) !== undefined);
  tf.tidy(() => assert.deepEqual(Array.from(tf.neg(z).dataSync()), [-2, -0, -6]));
  tf.dispose([x, y, z]);
});

test('what a reader gets is his own', () => {
  tf.tidy(() => {
    const x = tf.square(tf.tensor1d([2, 3]));
    x.dataSync().fill(0);
    assert.deepEqual(Array.from(tf.cumsum(x).dataSync()), [4, 13]);
    x.dataSync().fill(0);
    assert.deepEqual(Array.from(x.dataSync()), [4, 9]);
  });
});

test('reads that run at the same time, and a tensor that is disposed meanwhile', async () => {
  const tensors = Array.from({ length: 8 }, (_, i) => tf.tidy(() => tf.fill([1000], i).add(1)));
  const reads = tensors.map((tensor) => tensor.data());
  tf.dispose(tensors);
  tf.tidy(() => void tf.fill([1000], 99).add(1)); // takes the memory of one of them
  const values = await Promise.all(reads);
  values.forEach((array, i) => assert.ok(array.every((value) => value === i + 1)));
});

test('2,000 operations leave device memory, data and tensors flat', async () => {
  const step = () =>
    tf.tidy(() => {
      const x = tf.fill([16, 32], 0.5);
      const gradient = tf.grad((t: tf.Tensor) => tf.mean(tf.relu(tf.mul(t, 2))))(x);
      tf.sum(tf.cast(tf.greater(gradient, 0), 'float32'), 0);
      tf.cos(tf.reshape(gradient, [-1])); // of the host
    });
  for (let i = 0; i < 20; i++) step();
  const state = () => {
    backend.synchronize(); // memory is freed in the order of the work
    return {
      bytes: bytesOnDevice(),
      tensors: tf.memory().numTensors,
      dataIds: backend.numDataIds(),
    };
  };
  const before = state();
  for (let i = 0; i < 200; i++) {
    step();
    if (i % 50 === 49) await setImmediate();
  }
  assert.deepEqual(state(), before);
});

const noGpu = { skip: device === 'cuda' && 'a GPU has room' };
test('a device without room is an error, and goes on working', noGpu, () => {
  const before = tf.memory().numTensors;
  const half = () => tf.fill([8 * 2 ** 20], 1); // 32 MiB
  assert.throws(() => tf.tidy(() => [half(), half(), half()]), {
    name: 'FtwtError',
    code: 'OUT_OF_MEMORY',
    message: /^Out of device memory: expected 33554432 bytes on device 0, got \d+ free of 67108864/,
  });
  assert.equal(tf.memory().numTensors, before);
  tf.tidy(() => assert.equal(half().sum().dataSync()[0], 8 * 2 ** 20));
});

test('a disposed tensor is refused', () => {
  const x = tf.tensor1d([1]);
  x.dispose();
  assert.throws(() => tf.relu(x), { name: 'FtwtError', code: 'INVALID_ARGUMENT' });
});

test('tensors move between backends with their values', async () => {
  const x = tf.tidy(() => tf.square(tf.tensor1d([1, 2, 3])));
  await tf.setBackend('native');
  tf.tidy(() => assert.deepEqual(Array.from(tf.neg(x).dataSync()), [-1, -4, -9]));
  await tf.setBackend(device);
  tf.tidy(() => assert.deepEqual(Array.from(tf.neg(x).dataSync()), [-1, -4, -9]));
  x.dispose();
});

test('setDevice says why a device cannot be had', async () => {
  const expected = { name: 'FtwtError', code: 'INVALID_ARGUMENT' };
  await assert.rejects(setDevice('gpu'), { ...expected, message: /expected native, .* got "gpu"/ });
  await assert.rejects(setDevice('native:1'), expected);
  await assert.rejects(setDevice(`${device}:${backend.index + 1}`), {
    ...expected,
    message: /expected device \d+, which is in use, got \d+/,
  });
  if (deviceInfo().cuda.devices.length === 0) {
    await assert.rejects(setDevice('cuda'), { code: 'NO_DEVICE', message: /^No CUDA device: .+/ });
  }
  await setDevice(device);
  assert.equal(tf.getBackend(), device);
});

test('setPrecision is for GPUs', async () => {
  setPrecision('tf32');
  setPrecision('fp32');
  assert.throws(() => setPrecision('fp64' as 'fp32'), { code: 'INVALID_ARGUMENT' });
  await setDevice('native');
  assert.throws(() => setPrecision('tf32'), { message: /expected the backend cuda, got native/ });
  await setDevice(device);
});
