import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as tf from '@tensorflow/tfjs';
import { unaryOps } from '../../src/backend/kernels/unary.js';
import { agrees, uniform } from '../agrees.js';
import { eachDevice } from '../devices.js';

const special = [NaN, Infinity, -Infinity, 0, -0, 1, -1, 6, 6.5, 1e-40, -1e-40, 3.4e38, -3.4e38];
const clip = { clipValueMin: -0.5, clipValueMax: 0.75 };
const run = (op: string, x: tf.Tensor) =>
  tf.engine().runKernel(op, { x }, op === 'ClipByValue' ? clip : { alpha: 0.25 }) as tf.Tensor;

for (const op of unaryOps) {
  test(`${op} agrees with cpu at any length, on special values too`, () => {
    for (const length of [0, 1, 3, 15, 16, 17, 70]) {
      agrees(`${op} [${length}]`, () => run(op, uniform([length], -9, 9)), { absolute: 1e-7 });
    }
    agrees(`${op} special`, () => run(op, tf.tensor1d(special)), { absolute: 1e-37 });
    agrees(`${op} across threads`, () => run(op, uniform([2, 131, 257], 0.01, 30)));
  });

  test(`${op} of integers is left to the host kernel`, () => {
    if (op === 'LeakyRelu') return; // its public function casts, its kernel is float32 only
    agrees(`${op} int32`, () => run(op, tf.tensor1d([1, 2, 5], 'int32')));
  });
}

/** Distance in units of the last place of the float32 nearest to `exact`. */
function ulps(actual: number, exact: number): number {
  if (Object.is(actual, exact) || actual === exact) return 0;
  const exponent = Math.max(Math.floor(Math.log2(Math.abs(exact))), -126);
  return Math.abs(actual - exact) / 2 ** (exponent - 23);
}

const references: [string, (x: number) => number, low: number, high: number][] = [
  ['Exp', Math.exp, -87, 88.7],
  ['Log', Math.log, 1e-38, 10],
  ['Log1p', Math.log1p, -0.999, 20],
  ['Sigmoid', (x) => 1 / (1 + Math.exp(-x)), -30, 30],
  ['Tanh', Math.tanh, -10, 10],
  ['Elu', (x) => (x >= 0 ? x : Math.expm1(x)), -20, 1],
];

for (const [op, reference, low, high] of references) {
  test(`${op} is within 3 units in the last place`, () => {
    for (const name of eachDevice()) {
      const [inputs, outputs] = tf.tidy(() => {
        const wide = uniform([8000], low, high);
        const x = tf.concat([wide, uniform([8000], low / 100, high / 100, 7)]);
        return [x.dataSync(), run(op, x).dataSync()];
      });
      outputs.forEach((value, i) => {
        const exact = reference(inputs[i]);
        const distance = ulps(value, exact);
        assert.ok(
          distance <= 3,
          `${op}(${inputs[i]}) on ${name}: ${value}, expected ${exact} (${distance} ulp)`,
        );
      });
    }
  });
}

test('the gradient of Relu agrees with cpu for integers as well', () => {
  const x = () => tf.tensor1d([-2, 0, 3], 'int32');
  agrees('int32', () => tf.grad((t) => tf.relu(t))(x()));
});
