/** What of all kinds of memory is in use, and that nothing is left behind. */
import assert from 'node:assert/strict';
import { setImmediate } from 'node:timers/promises';
import * as tf from '@tensorflow/tfjs';
import { binding } from '../src/binding.js';

export const sanitized = process.env.FTWT_TEST_SANITIZED !== undefined;
/** AddressSanitizer keeps up to 256 MB of freed memory in quarantine. */
export const residentLimit = sanitized ? 320e6 : 32e6;
const externalLimit = 1e6;
const heapLimit = 4e6;

/** Lets finalizers run, which free native memory. */
async function collect(): Promise<void> {
  for (let i = 0; i < 4; i++) {
    globalThis.gc!();
    await setImmediate();
  }
}

export interface Use {
  tensors: number;
  /** Of native memory. */
  blocks: number;
  external: number;
  heap: number;
  resident: number;
}

export async function use(): Promise<Use> {
  await collect();
  const { external, heapUsed, rss } = process.memoryUsage();
  const { numTensors } = tf.memory();
  const { liveBlocks } = binding.info();
  return { tensors: numTensors, blocks: liveBlocks, external, heap: heapUsed, resident: rss };
}

/**
 * Asserts that `body` leaves what was there before it.
 * @param blocks native blocks that it may leave
 */
export async function leavesNothing(body: () => void | Promise<void>, blocks = 0): Promise<void> {
  const was = await use();
  await body();
  const is = await use();
  assert.equal(is.tensors, was.tensors, 'tensors');
  assert.ok(is.blocks <= was.blocks + blocks, `${was.blocks} native blocks, then ${is.blocks}`);
  const grown = (name: keyof Use) => is[name] - was[name];
  assert.ok(grown('external') < externalLimit, `external grew by ${grown('external')}`);
  assert.ok(grown('heap') < heapLimit, `heap grew by ${grown('heap')}`);
  assert.ok(grown('resident') < residentLimit, `resident memory grew by ${grown('resident')}`);
}
