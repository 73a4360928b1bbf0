/** Runs one computation on tfjs's cpu backend and on `native` at every instruction set, and compares. */
import assert from 'node:assert/strict';
import * as tf from '@tensorflow/tfjs';
import '../../src/index.js';
import { binding } from '../../src/binding.js';
import { allClose, type Tolerance } from '../allClose.js';

/** Inputs as plain data, so that every backend gets its own tensors. */
export interface Input {
  shape: number[];
  values: Float32Array;
}

/** Uniform in [-1, 1), the same for the same seed. */
export function uniform(shape: number[], seed: number): Input {
  const values = new Float32Array(tf.util.sizeFromShape(shape));
  let state = (seed * 2654435761 + 1) >>> 0;
  for (let i = 0; i < values.length; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    values[i] = state / 2 ** 31 - 1;
  }
  return { shape, values };
}

/** Runs `body` on a backend; also asserts that it leaks no tensor. */
export async function runOn(
  backend: string,
  inputs: Input[],
  body: (...tensors: tf.Tensor[]) => tf.Tensor,
): Promise<{ shape: number[]; values: Float32Array }> {
  await tf.setBackend(backend);
  const before = tf.memory().numTensors;
  const tensors = inputs.map(({ shape, values }) => tf.tensor(values.slice(), shape));
  const result = tf.tidy(() => body(...tensors));
  const { shape } = result;
  const values = (await result.data()) as Float32Array;
  tf.dispose([...tensors, result]);
  assert.equal(tf.memory().numTensors, before, `${backend}: tensors leaked`);
  return { shape, values };
}

/** Compares `native` at every instruction set with the cpu backend, or with `expected` where that one is wrong. */
export async function compareBackends(
  inputs: Input[],
  body: (...tensors: tf.Tensor[]) => tf.Tensor,
  tolerance?: Tolerance,
): Promise<void> {
  const expected = await runOn('cpu', inputs, body);
  await withEachInstructionSet(async (name) => {
    const actual = await runOn('native', inputs, body);
    assert.deepEqual(actual.shape, expected.shape);
    allClose(actual.values, expected.values, tolerance, name);
  });
}

/** Calls `body` once with each instruction set of this processor in use. */
export async function withEachInstructionSet(body: (name: string) => Promise<void>): Promise<void> {
  const { instructionSet, instructionSets } = binding.info();
  try {
    for (const name of instructionSets) {
      binding.setInstructionSet(name);
      await body(name);
    }
  } finally {
    binding.setInstructionSet(instructionSet);
  }
}
