import assert from 'node:assert/strict';
import { join, resolve } from 'node:path';
import { test } from 'node:test';
import { runProcess } from '../workers.js';

const root = resolve(__dirname, '../../..');

/** What main thread and workers both run: convolutions with gradients and masks, many times, on one addon. */
const workOn = (backend: string) => `
const tf = require(${JSON.stringify(require.resolve('@tensorflow/tfjs'))});
const ftwt = require(${JSON.stringify(join(root, 'dist/src/index.js'))});
async function compute(times) {
  if (!(await tf.setBackend('${backend}'))) throw new Error('${backend} does not start');
  let result;
  for (let i = 0; i < times; i++) {
    result = tf.tidy(() => {
      const x = tf.linspace(-1, 1, 2 * 9 * 9 * 3).reshape([2, 9, 9, 3]);
      const filter = tf.linspace(-0.5, 0.7, 3 * 3 * 3 * 8).reshape([3, 3, 3, 8]);
      const { value, grads } = tf.valueAndGrads((x, filter) => {
        const y = tf.relu(tf.conv2d(x, filter, 1, 'same'));
        const mask = ftwt.massMask(ftwt.channelSaliency(y), 0.7);
        return tf.sum(tf.square(tf.mul(y, mask.reshape([2, 1, 1, 8]))));
      })([x, filter]);
      return [value, ...grads].map((tensor) => [...tensor.dataSync()]);
    });
  }
  tf.backend().synchronize?.(); // device memory is freed in the order of the work
  const { numTensors: tensors, numBytesInGPU: deviceBytes } = tf.memory();
  return { result: result.flat(), tensors, deviceBytes };
}`;

test('two workers and the main thread run ops at once, with the right results and a clean exit', () => {
  const { alone, together, exits } = runProcess({
    work: workOn('native'),
    main: `
    const alone = await compute(1);
    const workers = [start(20), start(20)];
    const messages = workers.map(async (worker) => (await once(worker, 'message'))[0]);
    const exits = workers.map(async (worker) => (await once(worker, 'exit'))[0]);
    const together = [await compute(20), ...(await Promise.all(messages))];
    console.log(JSON.stringify({ alone, together, exits: await Promise.all(exits) }));
  `,
  });
  assert.equal(alone.result.length, 1 + 2 * 81 * 3 + 216);
  for (const { result, tensors } of together) {
    assert.deepEqual(result, alone.result);
    assert.equal(tensors, 0);
  }
  assert.deepEqual(exits, [0, 0]);
});

test('two workers and the main thread on the emulated device at once', () => {
  const { alone, together, exits } = runProcess({
    work: workOn('emulator'),
    main: `
    const alone = await compute(1);
    const workers = [start(6), start(6)];
    const messages = workers.map(async (worker) => (await once(worker, 'message'))[0]);
    const exits = workers.map(async (worker) => (await once(worker, 'exit'))[0]);
    const together = [await compute(6), ...(await Promise.all(messages))];
    console.log(JSON.stringify({ alone, together, exits: await Promise.all(exits) }));
  `,
  });
  assert.equal(alone.result.length, 1 + 2 * 81 * 3 + 216);
  for (const outcome of together) assert.deepEqual(outcome, alone);
  assert.deepEqual(
    { tensors: alone.tensors, deviceBytes: alone.deviceBytes },
    { tensors: 0, deviceBytes: 0 },
  );
  assert.deepEqual(exits, [0, 0]);
});

for (const backend of ['native', 'emulator']) {
  test(`workers terminated in the middle of their work do no harm, ${backend}`, () => {
    const { before, after } = runProcess({
      work: workOn(backend),
      main: `
    const before = await compute(1);
    for (let i = 0; i < 3; i++) {
      const workers = [start(1e9), start(1e9)];
      await Promise.all(workers.map((worker) => once(worker, 'online')));
      await compute(5);
      await Promise.all(workers.map((worker) => worker.terminate()));
    }
    console.log(JSON.stringify({ before, after: await compute(1) }));
  `,
    });
    assert.deepEqual(after, before);
  });
}

test('settings that change while a worker is in an op do no harm', () => {
  const { alone, during } = runProcess({
    work: workOn('native'),
    main: `
    const { binding } = require(${JSON.stringify(join(root, 'dist/src/binding.js'))});
    const { instructionSet, instructionSets, threads } = binding.info();
    const alone = await compute(1);
    const worker = start(200);
    let done = false;
    const message = once(worker, 'message').then(([result]) => ((done = true), result));
    for (let i = 0; !done; i++) {
      binding.setThreads(1 + (i % 4));
      binding.setInstructionSet(instructionSets[i % instructionSets.length]);
      await new Promise(setImmediate);
    }
    console.log(JSON.stringify({ alone, during: await message }));
  `,
  });
  const worst = alone.result.map(
    (value: number, i: number) => Math.abs(value - during.result[i]) / (1 + Math.abs(value)),
  );
  assert.ok(Math.max(...worst) < 1e-4, `off by ${Math.max(...worst)}`);
});
