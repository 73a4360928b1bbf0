import assert from 'node:assert/strict';
import { PassThrough } from 'node:stream';
import { beforeEach, test } from 'node:test';
import * as tf from '@tensorflow/tfjs';
import { consoleReporter, fit, makeDynamic, type ConsoleReporterOptions } from '../../src/index.js';
import { tinyDataset, tinyModel, tinyOptions } from './tiny.js';

beforeEach(() => tf.setBackend('native'));

async function outputOf(
  model: tf.LayersModel,
  options: ConsoleReporterOptions,
  terminal = {},
): Promise<string> {
  const stream = Object.assign(new PassThrough(), terminal);
  const controller = new AbortController();
  const reporter = consoleReporter({ stream, ...options });
  await fit(model, tinyDataset(), {
    ...tinyOptions,
    signal: controller.signal,
    reporter: {
      ...reporter,
      onStep(progress) {
        reporter.onStep!(progress);
        if (progress.totalSteps === 9) controller.abort();
      },
    },
  });
  stream.end();
  return (await stream.toArray()).join('');
}

test('without a terminal: plain lines', async () => {
  const output = await outputOf(tinyModel(), { secondsBetweenLines: 0 });
  const lines = output.trimEnd().split('\n');
  assert.equal(lines.length, 9 + 1 + 1);
  assert.match(lines[0], /^epoch 1\/2, step 1\/6, \d+ images\/s, 0:\d\d left$/);
  assert.match(
    lines[6],
    /^epoch 1: loss \d\.\d{4}, train [\d.]+ %, test [\d.]+ %, learning rate 0\.05, \d+ images\/s, 0:\d\d$/,
  );
  assert.equal(lines[10], 'interrupted after step 9');
});

test('lines within an epoch come only every so many seconds; masks are told', async () => {
  const model = makeDynamic(tinyModel(), { mass: 0.7 });
  const lines = (await outputOf(model, { secondsBetweenLines: 3600 })).trimEnd().split('\n');
  assert.equal(lines.length, 2);
  assert.match(lines[0], /kept [\d.]+ %, masks right [\d.]+ %/);
});

test('on a terminal: a bar that is cleared, and a line per epoch', async () => {
  const output = await outputOf(
    tinyModel(),
    { interactive: true },
    { isTTY: true, columns: 120, rows: 30 },
  );
  assert.match(output, /epoch 1\/2 .*\d\/6 .*images\/s/);
  assert.match(output, /epoch 1: loss/);
  assert.ok(output.trimEnd().endsWith('interrupted after step 9'));
});

test('on a terminal: an error stops the bar, so that the cursor returns and no timer stays', () => {
  const stream = Object.assign(new PassThrough(), { isTTY: true, columns: 120, rows: 30 });
  const timers = () => process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout').length;
  const before = timers();
  const reporter = consoleReporter({ stream, interactive: true });
  const [epoch, epochs, step, stepsPerEpoch, totalSteps] = [0, 1, 1, 2, 1];
  const speed = { learningRate: 0.1, imagesPerSecond: 100, secondsLeft: 1 };
  reporter.onStep!({ epoch, epochs, step, stepsPerEpoch, totalSteps, ...speed });
  assert.equal(timers(), before + 1);
  reporter.onError!(new Error('diverged'));
  assert.equal(timers(), before);
  assert.ok(String(stream.read()).includes('\x1b[?25h'));
});
