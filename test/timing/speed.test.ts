/** Contenders take turns, on the same images, and only if their results are right. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as tf from '@tensorflow/tfjs';
import { makeDynamic, vggSmall } from '../../src/index.js';
import { sessionContender, type Contender } from '../../src/timing/contenders.js';
import { randomImages } from '../../src/timing/images.js';
import { WrongResults } from '../../src/timing/logits.js';
import { measureSpeed } from '../../src/timing/speed.js';
import { Runner, takeTurns } from '../../src/timing/turns.js';

const dense = vggSmall({ inputShape: [8, 8, 1], classes: 3, widths: [4, 'M', 8], seed: 1 });
const pace = { rounds: 3, turnMs: 1 };

interface Log {
  ran: string[];
  released: string[];
  inputs: Float32Array[];
}

function fake(name: string, log: Log, check: () => number): Contender {
  return {
    ...{ name, model: dense },
    open: () => ({
      check,
      run(images) {
        log.ran.push(name);
        log.inputs.push(images);
      },
      release: () => void log.released.push(name),
    }),
  };
}

test('entrants take turns, round by round', async () => {
  const order: string[] = [];
  const entrant = (name: string) => ({
    async turn(milliseconds: number) {
      order.push(name);
      return [milliseconds];
    },
  });
  const times = await takeTurns([entrant('a'), entrant('b')], { rounds: 2, turnMs: 7 });
  assert.deepEqual(order, ['a', 'b', 'a', 'b']);
  assert.deepEqual(times, [
    [[7], [7]],
    [[7], [7]],
  ]);
});

test('an entrant whose runs are much longer than a turn has fewer', async () => {
  let turns = 0;
  const slow = { turn: async () => [60 + 0 * turns++] };
  await takeTurns([slow], { rounds: 5, turnMs: 10 });
  assert.equal(turns, 2);
});

test('a runner tells the time of each run, and stops when it is told to', async () => {
  const controller = new AbortController();
  let runs = 0;
  const runner = new Runner(() => void runs++, controller.signal);
  const times = await runner.turn(0);
  assert.equal(times.length, 1);
  assert.ok(runs > times.length, 'no warm-up');
  controller.abort(new Error('stop'));
  await assert.rejects(runner.turn(0), /stop/);
});

test('who is wrong or does not run is not timed, and says why', async () => {
  const log: Log = { ran: [], released: [], inputs: [] };
  const images = randomImages(dense, 5);
  const broken: Contender = {
    ...{ name: 'broken', model: dense },
    open: () => {
      throw new Error('no such device');
    },
  };
  const { rows, failures } = await measureSpeed({
    contenders: [
      fake('right', log, () => 1e-6),
      fake('wrong', log, () => {
        throw new WrongResults('logit 0 should be 1, got 2');
      }),
      broken,
    ],
    ...{ batch: 2, images, pace },
  });
  assert.deepEqual(
    rows.map(({ contender, batch, error }) => [contender, batch, error]),
    [['right', 2, 1e-6]],
  );
  assert.ok(rows[0].runs >= 1);
  assert.ok(rows[0].imagesPerSecond.p10 <= rows[0].imagesPerSecond.p90);
  assert.equal(rows[0].macsShare, undefined);
  assert.deepEqual(failures, [
    {
      ...{ contender: 'wrong', batch: 2, wrong: true },
      reason: 'wrong results: logit 0 should be 1, got 2',
    },
    { contender: 'broken', batch: 2, wrong: false, reason: 'no such device' },
  ]);
  assert.deepEqual(log.released.sort(), ['right', 'wrong']);
  assert.deepEqual([...new Set(log.ran)], ['right']);
  // Two whole batches of the five images, in turn.
  assert.deepEqual(log.inputs[0], images.subarray(0, 128));
  assert.deepEqual(log.inputs[1], images.subarray(128, 256));
  assert.deepEqual(log.inputs[2], log.inputs[0]);
});

test('images that are too few for a batch are repeated', async () => {
  const log: Log = { ran: [], released: [], inputs: [] };
  const images = randomImages(dense, 3);
  await measureSpeed({ contenders: [fake('one', log, () => 0)], batch: 8, images, pace });
  const [input] = log.inputs;
  assert.equal(input.length, 8 * 64);
  assert.deepEqual(input.subarray(3 * 64, 6 * 64), images);
  assert.deepEqual(input.subarray(6 * 64), images.subarray(0, 2 * 64));
});

test('a stop releases everything', async () => {
  const log: Log = { ran: [], released: [], inputs: [] };
  const controller = new AbortController();
  const stopping = fake('stopping', log, () => {
    controller.abort(new Error('stop'));
    return 0;
  });
  const task = { contenders: [stopping], batch: 1, images: randomImages(dense, 1), pace };
  await assert.rejects(measureSpeed({ ...task, signal: controller.signal }), /stop/);
  assert.deepEqual(log, { ran: [], released: ['stopping'], inputs: [] });
});

test('sessions agree with their models and tell the share of MACs', async () => {
  const dynamic = makeDynamic(dense, { mass: 0.8 });
  const before = tf.memory().numTensors;
  const { rows, failures } = await measureSpeed({
    contenders: [
      sessionContender('dense', dense, { device: 'native' }),
      sessionContender('dynamic', dynamic, { device: 'native' }),
    ],
    ...{ batch: 4, images: randomImages(dense, 8), pace },
  });
  assert.deepEqual(failures, []);
  assert.equal(rows[0].macsShare, 1);
  assert.ok(rows[1].macsShare! > 0 && rows[1].macsShare! < 1.2);
  assert.ok(rows.every(({ error }) => error < 1e-4));
  assert.equal(tf.memory().numTensors, before);
});
