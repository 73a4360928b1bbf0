/** Runs the same tfjs code on the backend `cpu` and on every device of ours and compares: values, shapes, types, leaks. */
import assert from 'node:assert/strict';
import * as tf from '@tensorflow/tfjs';
import { allClose, type Tolerance } from './allClose.js';
import { eachDevice } from './devices.js';

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

/** Asserts that `body` gives the same on every device as on `cpu`. */
export function agrees(
  label: string,
  body: () => tf.Tensor | tf.Tensor[],
  tolerance: Tolerance = {},
): void {
  tf.setBackend('cpu');
  const expected = run(body);
  for (const name of eachDevice()) {
    run(body).forEach((actual, i) => {
      const text = `${label} [${i}] on ${name}`;
      assert.deepEqual(actual.shape, expected[i].shape, text);
      assert.equal(actual.dtype, expected[i].dtype, text);
      allClose(actual.values, expected[i].values, tolerance, text);
    });
  }
}

/** A tensor as plain data, from which every backend makes its own. */
export interface Input {
  shape: number[];
  values: Float32Array;
}

/** Asserts that `body` agrees on tensors of `inputs`. */
export function agreesOn(
  inputs: Input[],
  body: (...tensors: tf.Tensor[]) => tf.Tensor,
  tolerance?: Tolerance,
): void {
  const tensors = () => inputs.map(({ shape, values }) => tf.tensor(values.slice(), shape));
  agrees('result', () => body(...tensors()), tolerance);
}

/** Reproducible values in [low, high). */
export function uniform(shape: number[], low = -1, high = 1, seed = 1): tf.Tensor {
  return tf.tensor(
    draw(shape, seed).map((share) => low + (high - low) * share),
    shape,
  );
}

/** Reproducible values in [-1, 1). */
export function uniformInput(shape: number[], seed: number): Input {
  const values = draw(shape, seed * 2654435761 + 1).map((share) => 2 * share - 1);
  return { shape, values };
}

/** Shares in [0, 1). */
function draw(shape: number[], seed: number): Float32Array {
  const shares = new Float32Array(tf.util.sizeFromShape(shape));
  let state = seed >>> 0;
  for (let i = 0; i < shares.length; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    shares[i] = (state >>> 8) / 2 ** 24;
  }
  return shares;
}
