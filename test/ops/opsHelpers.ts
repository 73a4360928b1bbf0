/** What the tests of the custom ops share. */
import assert from 'node:assert/strict';
import * as tf from '@tensorflow/tfjs';
import { FtwtError } from '../../src/index.js';
import { agreesOn, type Input, uniformInput } from '../agrees.js';
import { eachDevice } from '../devices.js';

export { uniformInput } from '../agrees.js';

/** Calls `body` on the cpu backend, which runs the composite, and on every device. */
export async function withEachBackend(body: (label: string) => Promise<void>): Promise<void> {
  const check = async (label: string) => {
    const before = tf.memory().numTensors;
    await body(label);
    assert.equal(tf.memory().numTensors, before, `${label}: tensors leaked`);
  };
  await tf.setBackend('cpu');
  await check('cpu');
  for (const name of eachDevice()) await check(name);
}

/** Asserts that every device gives the composite's values bit for bit. */
export function compareExactly(
  inputs: Input[],
  body: (...tensors: tf.Tensor[]) => tf.Tensor,
): void {
  agreesOn(inputs, body, { absolute: 0, relative: 0 });
}

/** Few distinct values, zeros among them: many ties. */
export function coarseSaliency(shape: number[], seed: number): Input {
  const { values } = uniformInput(shape, seed);
  return { shape, values: values.map((v) => Math.max(0, Math.round(v * 3))) };
}

/** A shuffled grid with steps of 0.05 and no zero: no maximum changes place under the step of a difference. */
export function wellSpaced(shape: number[], seed: number): Input {
  const { values } = uniformInput(shape, seed);
  const order = Array.from(values.keys()).sort((a, b) => values[a] - values[b]);
  const spaced = new Float32Array(values.length);
  order.forEach((index, rank) => (spaced[index] = 0.05 * (rank - values.length / 2) + 0.025));
  return { shape, values: spaced };
}

/** A tensor of the current backend. */
export function tensorOf<T extends tf.Tensor = tf.Tensor>({ shape, values }: Input): T {
  return tf.tensor(values, shape) as T;
}

/** Asserts that `body` throws FtwtError INVALID_ARGUMENT with `message` in its text. */
export function invalid(body: () => unknown, message: string): void {
  assert.throws(body, (error: unknown) => {
    assert.ok(error instanceof FtwtError, String(error));
    assert.equal(error.code, 'INVALID_ARGUMENT');
    assert.ok(error.message.includes(message), `"${error.message}" lacks "${message}"`);
    return true;
  });
}
