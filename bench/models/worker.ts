/** The process of one contender: checks it, then runs it whenever it is its turn. */
import * as tf from '@tensorflow/tfjs';
import { openContender, type Contender } from './contenders.js';
import type { Answer, Spec, Turn } from './spec.js';

const answer = (message: Answer) => process.send!(message);

/** Brings caches, threads and the clock back up after the others' turns: to runs longer than that it does not matter. */
const warmUpMs = 30;
const longRunMs = 500;

async function repeat(contender: Contender, milliseconds: number): Promise<number[]> {
  const times: number[] = [];
  const end = performance.now() + milliseconds;
  do {
    const start = performance.now();
    await contender.run();
    times.push(performance.now() - start);
  } while (performance.now() < end);
  return times;
}

async function main(): Promise<void> {
  const spec = JSON.parse(process.argv[2]) as Spec;
  await tf.ready();
  const contender = await openContender(spec);
  let [lastRun] = await repeat(contender, 0);
  const turn = async ({ milliseconds }: Turn) => {
    if (lastRun < longRunMs) await repeat(contender, warmUpMs);
    const times = await repeat(contender, milliseconds);
    lastRun = times.at(-1)!;
    answer({ type: 'times', milliseconds: times });
  };
  process.on('message', (message: Turn) => turn(message).catch(fail));
  answer({ type: 'ready', facts: contender.facts });
}

function fail(error: Error): void {
  answer({ type: 'failed', message: error.message });
  process.disconnect();
}

main().catch(fail);
