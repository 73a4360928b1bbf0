/** The process of one contender: checks it, then runs it whenever it is its turn. */
import * as tf from '@tensorflow/tfjs';
import { Runner } from '../../src/timing/turns.js';
import { openContender } from './contenders.js';
import type { Answer, Spec, Turn } from './spec.js';

const answer = (message: Answer) => process.send!(message);

async function main(): Promise<void> {
  const spec = JSON.parse(process.argv[2]) as Spec;
  await tf.ready();
  const contender = await openContender(spec);
  const runner = new Runner(() => contender.run());
  const turn = async ({ milliseconds }: Turn) => {
    answer({ type: 'times', milliseconds: await runner.turn(milliseconds) });
  };
  process.on('message', (message: Turn) => turn(message).catch(fail));
  answer({ type: 'ready', facts: contender.facts });
}

function fail(error: Error): void {
  answer({ type: 'failed', message: error.message });
  process.disconnect();
}

main().catch(fail);
