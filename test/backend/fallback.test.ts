/** Every kernel of tfjs's cpu backend is registered on our backends and, run once, gives the same there. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as tf from '@tensorflow/tfjs';
import '../../src/index.js';
import { allClose } from '../allClose.js';
import { backendsUnderTest } from '../devices.js';
import { calls, unreachable } from './kernelCalls.js';

const hostKernels = tf.getKernelsForBackend('cpu').map(({ kernelName }) => kernelName);

for (const backend of ['native', 'cuda', 'emulator']) {
  test(`every kernel of the cpu backend is registered on ${backend}`, () => {
    const ours = new Set(tf.getKernelsForBackend(backend).map(({ kernelName }) => kernelName));
    assert.deepEqual(
      hostKernels.filter((name) => !ours.has(name)),
      [],
    );
  });
}

test('every kernel of the cpu backend has a call below, or a reason why not', () => {
  const listed = new Set([...Object.keys(calls), ...Object.keys(unreachable)]);
  assert.deepEqual(
    hostKernels.filter((name) => !listed.has(name)),
    [],
  );
  assert.deepEqual(
    [...listed].filter((name) => !hostKernels.includes(name)),
    [],
    'no such kernel',
  );
});

async function run(backend: string, call: () => tf.Tensor | tf.Tensor[]) {
  await tf.setBackend(backend);
  const before = tf.memory().numTensors;
  let outputs: tf.Tensor[] = [];
  const { kernelNames } = await tf.profile(() => {
    outputs = tf.tidy(() => [call()].flat());
    return outputs;
  });
  const results = outputs.map((tensor) => ({
    shape: tensor.shape,
    dtype: tensor.dtype,
    values: tensor.dataSync(),
  }));
  tf.dispose(outputs);
  assert.equal(tf.memory().numTensors, before, `${backend}: tensors leaked`);
  return { kernelNames, results };
}

for (const [kernelName, call] of Object.entries(calls)) {
  test(`${kernelName} runs on our backends as on cpu`, async () => {
    const expected = await run('cpu', call);
    for (const backend of backendsUnderTest()) {
      const actual = await run(backend, call);
      assert.ok(actual.kernelNames.includes(kernelName), `ran only ${actual.kernelNames}`);
      assert.equal(actual.results.length, expected.results.length);
      actual.results.forEach(({ shape, dtype, values }, i) => {
        const other = expected.results[i];
        assert.deepEqual({ shape, dtype }, { shape: other.shape, dtype: other.dtype });
        if (dtype === 'string') assert.deepEqual(values, other.values);
        else allClose(values, other.values, {}, `${kernelName} [${i}] on ${backend}`);
      });
    }
  });
}
