/** Many runs at once: from one thread, from workers, while settings change and while threads are torn down. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import * as tf from '@tensorflow/tfjs';
import {
  compile,
  layers,
  makeDynamic,
  setThreads,
  vggSmall,
  type CompileOptions,
  type Session,
} from '../../src/index.js';
import { binding } from '../../src/binding.js';
import { runProcess } from '../workers.js';
import { chain, closeLogits, images, modelOf, predict, scatter } from './oracle.js';

const mass = 0.9;

function smallSession({
  dense: isDense = false,
  size = 16,
  ...options
}: CompileOptions & { dense?: boolean; size?: number } = {}): {
  session: Session;
  batches: Float32Array[];
} {
  const widths = [16, 'M', 24, 'M', 32] as (number | 'M')[];
  const dense = vggSmall({ seed: 1, widths, inputShape: [size, size, 3] });
  const model = isDense ? dense : scatter(makeDynamic(dense, { mass }));
  const session = compile(model, { maxBatch: 12, measure: false, ...options });
  const batches = [1, 2, 5, 8, 12].map((n) => {
    const x = images(model, n, n);
    const values = x.dataSync<'float32'>().slice();
    x.dispose();
    return values;
  });
  if (!isDense) dense.dispose();
  model.dispose();
  return { session, batches };
}

interface Outcome {
  logits: Float32Array;
  masks?: Uint8Array;
  activeCounts: Int32Array;
}

const outcome = ({ logits, masks, activeCounts }: Outcome) => ({ logits, masks, activeCounts });

test('many runs in flight, and synchronous ones between, give what each alone gives', async () => {
  await tf.setBackend('native');
  const { session, batches } = smallSession();
  const masks = true;
  const alone = batches.map((x) => outcome(session.run(x, { masks })));
  for (let round = 0; round < 5; round++) {
    const flights = Array.from({ length: 30 }, async (_, i) => {
      const which = (i * (round + 2)) % batches.length;
      const result = await session.runAsync(batches[which], { masks });
      assert.deepEqual(outcome(result), alone[which]);
    });
    batches.forEach((x, i) => assert.deepEqual(outcome(session.run(x, { masks })), alone[i]));
    await Promise.all(flights);
  }
  session.dispose();
});

test('the number of threads may change between runs and during them', async () => {
  const { session, batches } = smallSession();
  const { threads } = binding.info();
  const masks = true;
  const alone = batches.map((x) => outcome(session.run(x, { masks })));
  try {
    for (const count of [1, 2, 3, 7, 16, 2]) {
      const flights = batches.map((x) => session.runAsync(x, { masks }));
      setThreads(count);
      const profiled = session.profile(batches[3]);
      assert.equal(profiled.length, session.layers.length);
      batches.forEach((x, i) => {
        assert.deepEqual(outcome(session.run(x, { masks })), alone[i], `${count} threads`);
      });
      (await Promise.all(flights)).forEach((result, i) => {
        assert.deepEqual(outcome(result), alone[i], `changed to ${count} threads`);
      });
    }
  } finally {
    setThreads(threads);
  }
  session.dispose();
});

/** @returns what `run` gives on one thread, which is what it gives on several */
function onThreads(counts: number[], run: () => Outcome[]): Outcome[] {
  const { threads } = binding.info();
  try {
    setThreads(1);
    const alone = run();
    for (const count of counts) {
      setThreads(count);
      assert.deepEqual(run(), alone, `${count} threads`);
    }
    return alone;
  } finally {
    setThreads(threads);
  }
}

test('threads that run images of their own give what one thread gives', () => {
  for (const dense of [false, true]) {
    onThreads([2, 3, 5, 16], () => {
      const { session, batches } = smallSession({ dense });
      const results = batches.map((x) => outcome(session.run(x, { masks: true })));
      const [x, { masks, logits }] = [batches.at(-1)!, results.at(-1)!];
      assert.deepEqual(session.run(x, { forcedMasks: masks }).logits, logits);
      assert.ok(session.profile(x).every(({ milliseconds }) => milliseconds >= 0));
      session.dispose();
      return results;
    });
  }
});

/** The second and third convolutions have more weights than threads read for themselves; the others do not. */
test('large weights that threads share give what one thread gives', () => {
  const conv = (filters: number) =>
    layers.dynamicConv2d({ filters, kernelSize: 3, padding: 'same', activation: 'relu', mass });
  const dense = tf.layers.conv2d({ filters: 520, kernelSize: 3, padding: 'same' });
  const model = modelOf([2, 2, 24], chain(conv(520), conv(520), dense, conv(40)));
  const x = images(model, 12);
  const values = x.dataSync<'float32'>().slice();
  const alone = onThreads([2, 3, 5], () => {
    const session = compile(model, { maxBatch: 12, measure: false });
    const results = [1, 2, 5, 8, 12].map((n) => {
      const some = values.subarray(0, (n * values.length) / 12);
      return outcome(session.run(some, { masks: true }));
    });
    assert.ok(session.profile(values).every(({ milliseconds }) => milliseconds >= 0));
    session.dispose();
    return results;
  });
  closeLogits(alone.at(-1)!.logits, predict(model, x).logits, 'twelve images');
  x.dispose();
  model.dispose();
});

test('a session of fewer threads than there are', async () => {
  const { session, batches } = smallSession();
  const { threads } = binding.info();
  setThreads(3);
  try {
    for (const count of [1, 2, 100]) {
      const { session: limited } = smallSession({ threads: count });
      const flights = batches.map((x) => limited.runAsync(x, { masks: true }));
      batches.forEach((x) => {
        assert.deepEqual(
          outcome(limited.run(x, { masks: true })),
          outcome(session.run(x, { masks: true })),
          `${count} threads`,
        );
      });
      await Promise.all(flights);
      limited.dispose();
    }
  } finally {
    setThreads(threads);
  }
  session.dispose();
});

test('a session of one thread leaves the others alone', () => {
  const { threads } = binding.info();
  // Threads that are new have no working memory yet.
  const blocksOf = (options: CompileOptions) => {
    setThreads(1);
    setThreads(5);
    const { session, batches } = smallSession(options);
    for (let i = 0; i < 20; i++) session.run(batches[4]);
    session.dispose();
    return binding.info().scratchBlocks;
  };
  try {
    const alone = blocksOf({ threads: 1 });
    assert.equal(blocksOf({ threads: 1 }), alone);
    assert.ok(blocksOf({}) > alone);
  } finally {
    setThreads(threads);
  }
});

test('a session goes on when the instruction set is another than it was compiled for', () => {
  const { instructionSet, instructionSets } = binding.info();
  try {
    // Images that one instruction set cuts into more blocks of pixels than another.
    const sizes = [16, 12, 22];
    for (const [compiled, dense, size] of instructionSets.flatMap((set) =>
      sizes.flatMap((n) => [[set, false, n] as const, [set, true, n] as const]),
    )) {
      binding.setInstructionSet(compiled);
      const { session, batches } = smallSession({ dense, size });
      const alone = batches.map((x) => session.run(x).logits);
      for (const other of instructionSets) {
        binding.setInstructionSet(other);
        batches.forEach((x, i) => {
          const { logits } = session.run(x);
          const largest = Math.max(...alone[i].map(Math.abs));
          logits.forEach((value, j) => {
            const text = `compiled for ${compiled}, run with ${other}: ${value}, ${alone[i][j]}`;
            assert.ok(Math.abs(value - alone[i][j]) < 1e-4 * largest, text);
          });
        });
      }
      session.dispose();
    }
  } finally {
    binding.setInstructionSet(instructionSet);
  }
});

/** Each thread compiles its own session of one network, and has several runs of it in flight. */
const work = `
const tf = require(${JSON.stringify(require.resolve('@tensorflow/tfjs'))});
const ftwt = require(${JSON.stringify(join(__dirname, '../../src/index.js'))});
const { images, scatter } = require(${JSON.stringify(join(__dirname, 'oracle.js'))});
async function compute(times) {
  await tf.setBackend('native');
  const dense = ftwt.vggSmall({ widths: [16, 'M', 24, 'M', 32], inputShape: [16, 16, 3] });
  const model = scatter(ftwt.makeDynamic(dense, { mass: 0.9 }));
  const session = ftwt.compile(model, { maxBatch: 9, measure: false });
  const batches = [1, 3, 9].map((n) => images(model, n, n).dataSync().slice());
  const plain = ({ logits, masks }) => [...logits, ...masks];
  const expected = batches.map((x) => plain(session.run(x, { masks: true })));
  let wrong = 0;
  for (let i = 0; i < times; i++) {
    const flights = [...batches, ...batches].map((x) => session.runAsync(x, { masks: true }));
    const results = await Promise.all(flights);
    results.forEach((result, j) => {
      const same = plain(result).every((value, k) => Object.is(value, expected[j % 3][k]));
      if (!same) wrong++;
    });
  }
  session.dispose();
  return { expected, wrong };
}`;

test('four workers and the main thread, several runs in flight each', () => {
  const { alone, together, exits } = runProcess({
    work,
    main: `
      const alone = await compute(1);
      const workers = [1, 2, 3, 4].map(() => start(40));
      const messages = workers.map(async (worker) => (await once(worker, 'message'))[0]);
      const exits = workers.map(async (worker) => (await once(worker, 'exit'))[0]);
      const together = [await compute(40), ...(await Promise.all(messages))];
      console.log(JSON.stringify({ alone, together, exits: await Promise.all(exits) }));`,
  });
  assert.equal(alone.wrong, 0);
  assert.equal(together.length, 5);
  for (const { wrong, expected } of together) {
    assert.equal(wrong, 0);
    assert.deepEqual(expected, alone.expected);
  }
  assert.deepEqual(exits, [0, 0, 0, 0]);
});

test('workers terminated in the middle of runs do no harm', () => {
  const { before, after, terminated } = runProcess({
    work,
    main: `
      const before = await compute(1);
      let terminated = 0;
      for (let i = 0; i < 4; i++) {
        const workers = [start(1e9), start(1e9), start(1e9)];
        await Promise.all(workers.map((worker) => once(worker, 'online')));
        await new Promise((resolve) => setTimeout(resolve, 600 * i)); // loading, compiling, running
        await compute(3);
        const codes = await Promise.all(workers.map((worker) => worker.terminate()));
        terminated += codes.filter((code) => code === 1).length;
      }
      console.log(JSON.stringify({ before, after: await compute(3), terminated }));`,
  });
  assert.equal(terminated, 12);
  assert.equal(before.wrong, 0);
  assert.deepEqual(after, before);
});

test('a process that exits with runs in flight does so cleanly', () => {
  const { code } = runProcess({
    work,
    main: `
      void compute(1e9);
      setTimeout(() => { console.log(JSON.stringify({ code: 0 })); process.exit(0); }, 1500);`,
  });
  assert.equal(code, 0);
});
