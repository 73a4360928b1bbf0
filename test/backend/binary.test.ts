import { test } from 'node:test';
import * as tf from '@tensorflow/tfjs';
import { binaryOps } from '../../src/backend/kernels/binary.js';
import { agrees, uniform } from '../agrees.js';

const shapes: [a: number[], b: number[]][] = [
  [[], []],
  [[0], [0]],
  [[37], [37]],
  [
    [3, 5, 7],
    [3, 5, 7],
  ],
  [[3, 5, 7], []],
  [[], [3, 5, 7]],
  [[3, 5, 7], [1]],
  [[3, 5, 3], [3]],
  [[7], [33, 7]],
  [[40, 65], [65]],
  [
    [40, 65],
    [40, 1],
  ],
  [
    [3, 4, 5, 6],
    [3, 1, 1, 6],
  ],
  [
    [3, 1, 1, 6],
    [3, 4, 5, 6],
  ],
  [
    [2, 3, 4, 5],
    [3, 1, 5],
  ],
  [
    [5, 1],
    [1, 6],
  ],
  [
    [2, 1, 3, 1, 2, 1],
    [1, 2, 1, 3, 1, 2],
  ],
  [[0, 4], [4]],
];

const call = (op: string, a: tf.Tensor, b: tf.Tensor) =>
  tf.engine().runKernel(op, { a, b }) as unknown as tf.Tensor;

for (const op of binaryOps.filter((name) => name !== 'ReluGrad')) {
  test(`${op} broadcasts as on cpu`, () => {
    for (const [a, b] of shapes) {
      agrees(`${op} [${a}] [${b}]`, () => call(op, uniform(a, -2, 2), uniform(b, -2, 2, 5)));
    }
  });

  test(`${op} treats NaN, infinities and equal values as on cpu`, () => {
    const values = [NaN, Infinity, -Infinity, 0, -0, 1, -1];
    agrees(op, () =>
      call(op, tf.reshape(tf.tensor1d(values), [-1, 1]), tf.reshape(tf.tensor1d(values), [1, -1])),
    );
  });

  test(`${op} splits large shapes over threads`, () => {
    agrees(op, () => call(op, uniform([70000]), uniform([70000], -1, 1, 3)));
    agrees(`${op} rows`, () => call(op, uniform([2, 20000]), uniform([2, 1], -1, 1, 3)));
    agrees(`${op} planes`, () => call(op, uniform([3, 67, 200]), uniform([3, 1, 200], -1, 1, 3)));
  });
}

test('integers and mixed types are left to the host kernel', () => {
  agrees('add int32', () => tf.add(tf.tensor1d([1, 2], 'int32'), tf.tensor1d([3, 4], 'int32')));
  agrees('mul bool', () => tf.mul(tf.tensor1d([true, false]), tf.tensor1d([0.5, 2])));
  agrees('equal int32', () => tf.equal(tf.tensor1d([1, 2], 'int32'), tf.tensor1d([1, 4], 'int32')));
});

test('an integer array that tfjs relabelled as float32 is converted', () => {
  agrees('cast', () => tf.add(tf.cast(tf.tensor1d([1, 2], 'int32'), 'float32'), 0.5));
});

test('AddN, Select and LogicalAnd agree with cpu', () => {
  agrees('addN', () =>
    tf.addN([uniform([3, 7]), uniform([3, 7], 0, 1, 2), uniform([3, 7], 0, 9, 3)]),
  );
  agrees('addN of one', () => tf.addN([uniform([3, 7])]));
  const large = () => uniform([150, 250], -1, 1, 9);
  agrees('where', () => tf.where(tf.greater(large(), 0), large(), tf.mul(large(), 2)));
  agrees('where, broadcast', () =>
    tf.where(tf.tensor1d([true, false], 'bool'), 1.5, uniform([3, 2])),
  );
  agrees('and', () => tf.logicalAnd(tf.greater(large(), -0.5), tf.less(large(), 0.5)));
  agrees('and, broadcast', () =>
    tf.logicalAnd(tf.tensor1d([true, false], 'bool'), tf.tensor2d([1, 0, 1, 1], [2, 2], 'bool')),
  );
});

test('the gradient of relu is that of cpu, NaN included', () => {
  const values = [NaN, Infinity, -Infinity, 0, -0, 1e-30, -1e-30, 3, -3];
  for (const dy of [1, -2.5]) {
    agrees('relu gradient', () =>
      tf.grad((x) => tf.relu(x).mul(dy).sum())(tf.tensor1d([...values, ...values])),
    );
  }
});
