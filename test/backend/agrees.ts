/** Runs the same tfjs code on the backends `cpu` and `native` and compares: values, shapes, types and leaks. */
import assert from 'node:assert/strict';
import * as tf from '@tensorflow/tfjs';
import '../../src/index.js';
import { binding } from '../../src/binding.js';
import { allClose, type Tolerance } from '../allClose.js';

export const instructionSets = binding.info().instructionSets;

/** Calls `body` once per instruction set, on the backend `native`. */
export function onEachInstructionSet(body: (name: string) => void): void {
  const best = binding.info().instructionSet;
  tf.setBackend('native');
  try {
    for (const name of instructionSets) {
      binding.setInstructionSet(name);
      body(name);
    }
  } finally {
    binding.setInstructionSet(best);
  }
}

interface Result {
  shape: number[];
  dtype: string;
  values: tf.TypedArray;
}

function run(body: () => tf.Tensor | tf.Tensor[]): Result[] {
  const before = tf.memory().numTensors;
  const results = tf.tidy(() =>
    [body()].flat().map((tensor) => ({
      shape: tensor.shape,
      dtype: tensor.dtype,
      values: tensor.dataSync().slice(),
    })),
  );
  assert.equal(tf.memory().numTensors, before, 'tensors leaked');
  return results;
}

/** Asserts that `body` gives the same on `native`, at every instruction set, as on `cpu`. */
export function agrees(
  label: string,
  body: () => tf.Tensor | tf.Tensor[],
  tolerance: Tolerance = {},
): void {
  tf.setBackend('cpu');
  const expected = run(body);
  onEachInstructionSet((name) => {
    run(body).forEach((actual, i) => {
      const text = `${label} [${i}] on ${name}`;
      assert.deepEqual(actual.shape, expected[i].shape, text);
      assert.equal(actual.dtype, expected[i].dtype, text);
      allClose(actual.values, expected[i].values, tolerance, text);
    });
  });
}

/** Reproducible values in [low, high). */
export function uniform(shape: number[], low = -1, high = 1, seed = 1): tf.Tensor {
  const values = new Float32Array(tf.util.sizeFromShape(shape));
  let state = seed >>> 0;
  for (let i = 0; i < values.length; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    values[i] = low + ((high - low) * state) / 2 ** 32;
  }
  return tf.tensor(values, shape);
}
