/** Compares the gradients of a function with central differences. */
import * as tf from '@tensorflow/tfjs';
import type { Tensor } from '@tensorflow/tfjs';
import { allClose, type Tolerance } from './allClose.js';

export interface GradCheckOptions {
  /** Of the inputs. Float32 leaves about 1e-7 / step of noise; functions linear in each input allow a large step. */
  step?: number;
  tolerance?: Tolerance;
  label?: string;
}

/** Weights of the outputs in the sum that is differentiated: no two alike, so that no mistake cancels out. */
const weight = (i: number) => Math.sin(1 + 2.3 * i);

/** The weighted sum of an output, in double precision. */
function weightedSum(y: Tensor): number {
  let sum = 0;
  y.dataSync().forEach((value, i) => (sum += weight(i) * value));
  return sum;
}

/** Asserts that the gradients of sum(weights * f(inputs)) on the current backend are those of central differences. */
export function gradCheck(
  f: (...inputs: Tensor[]) => Tensor,
  inputs: Tensor[],
  {
    step = 1e-2,
    tolerance = { absolute: 2e-3, relative: 1e-2 },
    label = '',
  }: GradCheckOptions = {},
): void {
  tf.tidy(() => {
    const size = f(...inputs).size;
    const weights = tf.tensor1d(Float32Array.from({ length: size }, (_, i) => weight(i)));
    const actual = tf.grads((...x: Tensor[]) =>
      tf.sum(tf.mul(tf.reshape(f(...x), [size]), weights)),
    )(inputs);
    inputs.forEach((input, which) => {
      const expected = differences(f, inputs, which, step);
      allClose(
        actual[which],
        tf.tensor(expected, input.shape),
        tolerance,
        `${label} input ${which}`,
      );
    });
  });
}

function differences(
  f: (...inputs: Tensor[]) => Tensor,
  inputs: Tensor[],
  which: number,
  step: number,
): Float32Array {
  const values = inputs[which].dataSync().slice();
  const result = new Float32Array(values.length);
  const at = (index: number, value: number) =>
    tf.tidy(() => {
      const moved = values.slice();
      moved[index] = value;
      const replaced = inputs.with(which, tf.tensor(moved, inputs[which].shape));
      return weightedSum(f(...replaced));
    });
  for (let i = 0; i < values.length; i++) {
    // The step that float32 really makes.
    const [above, below] = [Math.fround(values[i] + step), Math.fround(values[i] - step)];
    result[i] = (at(i, above) - at(i, below)) / (above - below);
  }
  return result;
}
