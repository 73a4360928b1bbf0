import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { beforeEach, test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import * as tf from '@tensorflow/tfjs';
import { fit, loadModel, type FitOptions, type FtwtError, type History } from '../../src/index.js';
import { temporaryFolder } from '../temporaryFolder.js';
import { assertSameWeights, tinyDataset, tinyModel, tinyOptions } from './tiny.js';

beforeEach(() => tf.setBackend('native'));

/** Everything of a history that does not depend on the clock. */
function numbers({ epochs }: History): unknown[] {
  return epochs.map(({ seconds: _s, imagesPerSecond: _i, test, ...entry }) => ({
    ...entry,
    test: test && [test.accuracy, test.loss],
  }));
}

async function uninterrupted(options: FitOptions = tinyOptions) {
  const model = tinyModel();
  return { model, history: await fit(model, tinyDataset(), options) };
}

/** Trains with checkpoints until so many steps are done. */
async function interruptedAt(steps: number, options: FitOptions): Promise<History> {
  const controller = new AbortController();
  const reporter: FitOptions['reporter'] = {
    onStep: ({ totalSteps }) => {
      if (totalSteps === steps) controller.abort();
    },
  };
  const { signal } = controller;
  return fit(tinyModel(), tinyDataset(), { ...options, signal, reporter });
}

for (const steps of [3, 6, 8]) {
  test(`resumed after an interruption at step ${steps} of 6 per epoch: the same losses and weights`, async () => {
    const expected = await uninterrupted();
    const options = { ...tinyOptions, checkpoints: { directory: temporaryFolder() } };
    const history = await interruptedAt(steps, options);
    assert.equal(history.interrupted, true);
    const model = tinyModel(99);
    const resumed = await fit(model, tinyDataset(), { ...options, resume: true });
    assert.equal(resumed.interrupted, false);
    assert.deepEqual(numbers(resumed), numbers(expected.history));
    assertSameWeights(model, expected.model);
  });
}

test('killed at random moments, a run loses nothing and ends bit for bit the same', async () => {
  const folder = temporaryFolder();
  const checkpoints = join(folder, 'checkpoints');
  const result = join(folder, 'model');
  let kills = 0;
  for (;;) {
    const child = spawn(process.execPath, [join(__dirname, 'trainChild.js'), checkpoints, result], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const ended = once(child, 'exit');
    await Promise.race([once(child.stdout, 'data'), ended]);
    if (kills < 5) await Promise.race([setTimeout(20 + Math.random() * 100), ended]);
    else await ended;
    if (child.exitCode !== null) {
      assert.equal(child.exitCode, 0);
      break;
    }
    child.kill('SIGKILL');
    kills++;
    await ended;
  }
  assert.ok(kills > 0, 'the child ended before it could be killed');
  assertSameWeights(await loadModel(result), (await uninterrupted()).model);
});

test('the newest checkpoints are kept, a finished run resumes to its history', async () => {
  const directory = join(temporaryFolder(), 'deep', 'checkpoints');
  const folders: string[] = [];
  const options: FitOptions = {
    ...tinyOptions,
    checkpoints: { directory, everySteps: 2, keep: 3 },
    reporter: { onCheckpoint: (path) => folders.push(path) },
  };
  const first = await uninterrupted(options);
  assert.equal(folders.length, 8); // 6 by steps, 2 by epochs
  assert.deepEqual(
    readdirSync(directory)
      .map((name) => join(directory, name))
      .sort(),
    folders.slice(-3),
  );
  const model = tinyModel(99);
  const again = await fit(model, tinyDataset(), { ...options, resume: true });
  assert.deepEqual(numbers(again), numbers(first.history));
  assertSameWeights(model, first.model);
});

test('damaged checkpoints are named; the one before takes over; with none left it is an error', async () => {
  const directory = temporaryFolder();
  const options = { ...tinyOptions, checkpoints: { directory, everyEpochs: 1 } };
  const expected = await uninterrupted(options);
  const [older, newer] = readdirSync(directory)
    .sort()
    .map((name) => join(directory, name));
  const tensors = join(newer, 'tensors.bin');
  const bytes = readFileSync(tensors);
  bytes[bytes.length >> 1] ^= 4;
  writeFileSync(tensors, bytes);
  const warnings: string[] = [];
  const resume = async () => {
    warnings.length = 0;
    const model = tinyModel(99);
    const reporter: FitOptions['reporter'] = { onWarning: (message) => warnings.push(message) };
    await fit(model, tinyDataset(), { ...options, resume: true, reporter });
    return model;
  };
  assertSameWeights(await resume(), expected.model);
  assert.equal(warnings.length, 1);
  assert.ok(warnings[0].includes(`${tensors} is damaged: expected sha256`), warnings[0]);

  // That run has added an intact third one, and removed the first.
  assert.ok(!existsSync(older));
  const [, third] = readdirSync(directory)
    .sort()
    .map((name) => join(directory, name));
  const damages: [file: string, damage: (path: string) => void, message: string][] = [
    ['state.json', (path) => truncateSync(path, 10), 'bytes, got 10'],
    ['manifest.json', (path) => truncateSync(path, 10), 'expected JSON, got 10 bytes'],
    ['manifest.json', (path) => writeFileSync(path, '{"formatVersion":9}'), 'version 1, got 9'],
    ['manifest.json', (path) => writeFileSync(path, '{"formatVersion":1}'), 'lists no state.json'],
    ['manifest.json', unlinkSync, 'ENOENT'],
  ];
  for (const [file, damage, message] of damages) {
    const path = join(third, file);
    damage(path);
    await assert.rejects(resume(), (error: FtwtError) => {
      assert.equal(error.code, 'CORRUPT_FILE', error.stack);
      assert.ok(error.message.includes(path), error.message);
      assert.ok(error.message.includes(message), error.message);
      return true;
    });
    assert.equal(warnings.length, 2);
  }
});

test('a run that diverges leaves its last good checkpoint', async () => {
  const directory = temporaryFolder();
  const checkpoints = { directory, everySteps: 1, keep: 1 };
  const learningRate = (step: number) => (step < 4 ? 0.05 : 1e30);
  await assert.rejects(
    fit(tinyModel(), tinyDataset(), { ...tinyOptions, learningRate, checkpoints }),
    /diverged at step 4 \(learning rate 1e\+30\)/,
  );
  const model = tinyModel(99);
  await fit(model, tinyDataset(), { ...tinyOptions, checkpoints, resume: true, epochs: 1 });
  for (const weight of model.getWeights()) {
    assert.ok(weight.dataSync().every(Number.isFinite));
  }
});

test('checkpoints of another run, model or data are refused, the model untouched', async () => {
  const directory = temporaryFolder();
  const options = { ...tinyOptions, epochs: 1, checkpoints: { directory } };
  await uninterrupted(options);
  const invalid = async (message: RegExp, changes: Partial<FitOptions>, model = tinyModel(5)) => {
    await assert.rejects(fit(model, tinyDataset(), { ...options, ...changes }), {
      code: 'INVALID_ARGUMENT',
      message,
    });
  };
  const model = tinyModel(5);
  await invalid(/must hold no checkpoints of an earlier run, got 1/, {}, model);
  await invalid(/written with seed 7, got 8/, { resume: true, seed: 8 }, model);
  await invalid(/written with batchSize 16, got 8/, { resume: true, batchSize: 8 }, model);
  assertSameWeights(model, tinyModel(5));
  const other = tf.sequential({
    layers: [
      tf.layers.flatten({ inputShape: [8, 8, 1] }),
      tf.layers.dense({ units: 3, kernelInitializer: 'zeros' }),
    ],
  });
  await invalid(
    /of a model with 12 weights and velocities, this one has 4/,
    { resume: true },
    other,
  );
});

test('rubbish of a killed run is swept up', async () => {
  const directory = temporaryFolder();
  mkdirSync(join(directory, '.incomplete-abcdef012345'));
  writeFileSync(join(directory, '.incomplete-abcdef012345', 'tensors.bin'), 'half');
  await uninterrupted({ ...tinyOptions, epochs: 1, checkpoints: { directory } });
  assert.deepEqual(readdirSync(directory), ['checkpoint-000001']);
});

test('a checkpoint folder that vanishes while training runs is an error', async () => {
  const directory = join(temporaryFolder(), 'checkpoints');
  const before = tf.memory().numTensors;
  const model = tinyModel();
  const checkpoints = { directory, everySteps: 4 };
  await assert.rejects(
    fit(model, tinyDataset(), {
      ...tinyOptions,
      checkpoints,
      reporter: { onStep: () => rmSync(directory, { recursive: true, force: true }) },
    }),
    { code: 'INVALID_ARGUMENT', message: /writing a checkpoint into .* failed: ENOENT/ },
  );
  model.dispose();
  assert.equal(tf.memory().numTensors, before);
});

test('a checkpoint folder that cannot be written is an error before training', async () => {
  const file = join(temporaryFolder(), 'file');
  writeFileSync(file, '');
  const model = tinyModel();
  const checkpoints = { directory: join(file, 'checkpoints') };
  await assert.rejects(fit(model, tinyDataset(), { ...tinyOptions, checkpoints }), {
    code: 'INVALID_ARGUMENT',
    message: /checkpoints.directory: .* must be a folder that can be written to: ENOTDIR/,
  });
  assertSameWeights(model, tinyModel());
});
