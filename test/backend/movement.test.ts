import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as tf from '@tensorflow/tfjs';
import { loopNest } from '../../src/backend/kernels/shapes.js';
import { agrees, uniform } from '../agrees.js';

test('Cast agrees with cpu', () => {
  const values = [0, -0, 0.5, -1.9, 2.9, 2 ** 31, -(2 ** 33) - 5, NaN, Infinity];
  agrees('float32 to int32', () => tf.cast(tf.tensor1d(values), 'int32'));
  agrees('float32 to bool', () => tf.cast(tf.tensor1d(values), 'bool'));
  agrees('int32 to float32', () => tf.cast(tf.tensor1d([1, -7], 'int32'), 'float32'));
  agrees('bool to float32', () => tf.cast(tf.tensor1d([1, 0], 'bool'), 'float32'));
  agrees('int32 to bool', () => tf.cast(tf.tensor1d([3, 0], 'int32'), 'bool'));
  agrees('smoothed labels, which tfjs calls int32', () =>
    tf.cast(tf.oneHot(tf.tensor1d([1, 0], 'int32'), 3, 0.9, 0.05), 'float32'),
  );
  agrees('float32 to complex64', () => tf.real(tf.cast(tf.tensor1d([1, 2]), 'complex64')));
});

test('Fill, ZerosLike and OnesLike agree with cpu', () => {
  agrees('fill', () => [tf.fill([3, 5], 2.5), tf.fill([2], 3, 'int32'), tf.fill([70, 80], -1)]);
  agrees('like', () => [
    tf.zerosLike(uniform([3, 2])),
    tf.onesLike(uniform([90, 90])),
    tf.onesLike(tf.tensor1d([1], 'int32')),
  ]);
});

test('Slice agrees with cpu, contiguous or not', () => {
  const x = () => uniform([5, 6, 7, 3]) as tf.Tensor4D;
  for (const [begin, size] of [
    [
      [1, 0, 0, 0],
      [2, 6, 7, 3],
    ],
    [
      [1, 2, 3, 1],
      [3, 2, 4, 2],
    ],
    [
      [0, 0, 0, 2],
      [-1, -1, -1, 1],
    ],
    [
      [4, 5, 6, 2],
      [1, 1, 1, 1],
    ],
    [
      [0, 1, 0, 0],
      [5, 0, 7, 3],
    ],
  ]) {
    agrees(`slice ${begin} ${size}`, () => tf.slice(x(), begin, size));
  }
  agrees('int32', () => tf.slice(tf.tensor2d([1, 2, 3, 4, 5, 6], [2, 3], 'int32'), [0, 1], [2, 2]));
});

test('PadV2 agrees with cpu', () => {
  agrees('2d', () =>
    tf.pad(
      uniform([3, 5]),
      [
        [1, 2],
        [0, 3],
      ],
      7,
    ),
  );
  agrees('4d', () =>
    tf.pad(uniform([2, 9, 9, 5]), [
      [0, 0],
      [4, 4],
      [4, 4],
      [0, 0],
    ]),
  );
  agrees('1d', () => tf.pad(uniform([3]), [[0, 2]], NaN));
  agrees('empty', () =>
    tf.pad(
      tf.zeros([0, 2]),
      [
        [1, 1],
        [0, 0],
      ],
      3,
    ),
  );
  agrees('int32', () => tf.pad(tf.tensor1d([1, 2], 'int32'), [[1, 1]], 3));
});

test('Concat agrees with cpu', () => {
  for (const axis of [0, 1, 2, -1]) {
    agrees(`axis ${axis}`, () =>
      tf.concat([uniform([3, 4, 5]), uniform([3, 4, 5], 0, 1, 2)], axis),
    );
  }
  agrees('widths', () => tf.concat([uniform([4, 3]), uniform([4, 70]), tf.zeros([4, 0])], 1));
  agrees('one that is not empty', () => tf.concat([uniform([4, 3]), tf.zeros([0, 3])], 0));
  agrees('int32', () => tf.concat([tf.tensor1d([1], 'int32'), tf.tensor1d([2], 'int32')]));
});

test('Pack agrees with cpu', () => {
  for (const axis of [0, 1, 2, -1]) {
    agrees(`axis ${axis}`, () => tf.stack([uniform([3, 5]), uniform([3, 5], 0, 1, 2)], axis));
  }
  agrees('scalars', () => tf.stack([tf.scalar(1), tf.scalar(2), tf.scalar(3)]));
  agrees('empty', () => tf.stack([tf.zeros([2, 0]), tf.zeros([2, 0])]));
  agrees('int32', () => tf.stack([tf.tensor1d([1], 'int32'), tf.tensor1d([2], 'int32')]));
});

test('Tile agrees with cpu', () => {
  for (const [shape, reps] of [
    [[3], [4]],
    [
      [3, 5],
      [2, 3],
    ],
    [
      [1, 1, 1, 7],
      [3, 4, 5, 1],
    ],
    [
      [2, 1, 3],
      [1, 30, 2],
    ],
    [
      [2, 2],
      [0, 3],
    ],
  ]) {
    agrees(`[${shape}] x [${reps}]`, () => tf.tile(uniform(shape), reps));
  }
});

test('Transpose agrees with cpu for every order of four dimensions', () => {
  const orders = (left: number[]): number[][] =>
    left.length === 0
      ? [[]]
      : left.flatMap((d) => orders(left.filter((e) => e !== d)).map((rest) => [d, ...rest]));
  for (const order of orders([0, 1, 2, 3])) {
    agrees(`${order}`, () => tf.transpose(uniform([2, 3, 18, 5]), order));
  }
  agrees('matrix', () => tf.transpose(uniform([170, 203])));
  agrees('vector', () => tf.transpose(uniform([7])));
});

test('GatherV2 agrees with cpu', () => {
  const x = () => uniform([6, 4, 5]);
  const indices = () => tf.tensor2d([5, 0, 3, 3], [2, 2], 'int32');
  agrees('axis 0', () => tf.gather(x(), indices()));
  agrees('axis 2', () => tf.gather(x(), tf.tensor1d([4, 1], 'int32'), 2));
  agrees('axis 1', () => tf.gather(x(), tf.tensor1d([3], 'int32'), 1));
  agrees('batch', () => tf.gather(x(), tf.tensor2d([0, 1, 2, 3, 0, 1], [6, 1], 'int32'), 1, 1));
  agrees('none', () => tf.gather(x(), tf.tensor1d([], 'int32')));
});

test('a loop nest with a stride beyond 32 bits is left to the host kernel', () => {
  assert.equal(loopNest([2, 3], [2 ** 32 + 3, 1], [3, 1]), undefined);
  assert.notEqual(loopNest([2, 3], [2 ** 31 - 1, 1], [3, 1]), undefined);
});

test('PadV2 agrees with cpu for negative paddings', () => {
  agrees('cut', () => tf.pad(uniform([7]), [[-2, 1]]));
});
