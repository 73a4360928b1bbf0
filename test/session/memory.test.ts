/** Sessions leave no memory behind: not by running, compiling, failing, or being forgotten. */
import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import * as tf from '@tensorflow/tfjs';
import { compile, layers as ours, setThreads, type Session } from '../../src/index.js';
import { binding } from '../../src/binding.js';
import { leavesNothing, residentLimit, sanitized, use } from '../memoryUse.js';
import { chain, images, modelOf } from './oracle.js';

/** What a run has to itself: `Workspace` in native/session/cpu/session.cc. */
const workspaceBlocks = 6;

let network: tf.LayersModel;
before(async () => {
  await tf.setBackend('native');
  const dynamic = (filters: number) =>
    ours.dynamicConv2d({
      ...{ filters, kernelSize: 3, padding: 'same', activation: 'relu', mass: 0.9 },
    });
  const head = [tf.layers.flatten(), tf.layers.dense({ units: 4 })];
  network = modelOf([6, 6, 2], chain(dynamic(6), dynamic(8), ...head));
});

/** Runs of every kind by turns. */
function runs(session: Session, times: number): void {
  const x = images(network, 2);
  const values = x.dataSync<'float32'>().slice();
  const one = values.subarray(0, values.length / 2);
  const output = new Float32Array(2 * 4);
  const { masks: forcedMasks } = session.run(values, { masks: true });
  for (let i = 0; i < times; i += 5) {
    session.run(one);
    session.run(values, { masks: true });
    session.run(x, { output });
    session.run(values, { forcedMasks });
    assert.equal(session.run(one).macs.skippable.length, 1);
  }
  x.dispose();
}

test('100,000 runs leave memory flat', async () => {
  const { threads } = binding.info();
  setThreads(1); // such small layers gain nothing from more
  const session = compile(network, { maxBatch: 2 });
  runs(session, sanitized ? 2000 : 20_000); // V8 grows its heap at first
  await leavesNothing(() => runs(session, sanitized ? 10_000 : 100_000));
  session.dispose();
  setThreads(threads);
});

test('runs on other threads leave memory flat', async () => {
  const session = compile(network, { maxBatch: 2, measure: false });
  const x = images(network, 2).dataSync<'float32'>().slice();
  const flights = async (times: number) => {
    for (let i = 0; i < times; i += 8) {
      await Promise.all(Array.from({ length: 8 }, () => session.runAsync(x)));
    }
  };
  await flights(800);
  // Working memory for each of the four threads that may run at once.
  await leavesNothing(() => flights(sanitized ? 2000 : 20_000), 4 * workspaceBlocks);
  session.dispose();
});

test('100 sessions compiled, run and disposed leave memory flat', async () => {
  const cycles = async (times: number) => {
    for (let i = 0; i < times; i++) {
      const session = compile(network, { maxBatch: 2 + (i % 8), measure: i % 2 === 0 });
      runs(session, 5);
      const late = i % 10 === 0 && session.runAsync(new Float32Array(72));
      session.dispose();
      await late;
    }
  };
  await cycles(10);
  await leavesNothing(() => cycles(100));
});

test('sessions that are forgotten are freed', async () => {
  const forget = (times: number) => {
    for (let i = 0; i < times; i++) compile(network, { measure: false }).run(new Float32Array(72));
  };
  forget(5);
  await leavesNothing(() => forget(50));
});

test('forgotten sessions do not pile up: the garbage collector knows their size', async () => {
  // 64 planes of 96x96 for 8 images at once: 19 MB of working memory each, 1.9 GB in all.
  const conv = () => tf.layers.conv2d({ filters: 64, kernelSize: 1 });
  const wide = modelOf([96, 96, 1], chain(conv()));
  const batch = new Float32Array(8 * 96 * 96).fill(0.5);
  const { resident } = await use();
  let most = 0;
  for (let i = 0; i < 100; i++) {
    compile(wide, { measure: false, maxBatch: 8 }).run(batch);
    await setImmediate();
    most = Math.max(most, process.memoryUsage().rss - resident);
  }
  assert.ok(most < residentLimit + 700e6, `resident memory grew by up to ${most}`);
  wide.dispose();
});

test('runs that are refused leave memory flat', async () => {
  const session = compile(network, { maxBatch: 2, measure: false });
  const refused = async (times: number) => {
    for (let i = 0; i < times; i++) {
      assert.throws(() => session.run(new Float32Array(71)));
      assert.throws(() => binding.sessionRun(null as never, {} as never));
      await assert.rejects(session.runAsync(new Float32Array(3 * 72)));
    }
  };
  await refused(100);
  await leavesNothing(() => refused(2000));
  session.dispose();
});
