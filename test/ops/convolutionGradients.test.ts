/** Gradients as tfjs composes them from our kernels, against central differences. */
import { test } from 'node:test';
import * as tf from '@tensorflow/tfjs';
import { gradCheck } from '../gradCheck.js';
import { uniformInput } from '../agrees.js';
import { eachDevice } from '../devices.js';

type Body = (...inputs: tf.Tensor[]) => tf.Tensor;

const checks: { name: string; shapes: number[][]; body: Body }[] = [
  {
    name: 'conv2d, stride 2',
    shapes: [
      [2, 5, 4, 9],
      [3, 3, 9, 3],
    ],
    body: (x, filter) => tf.conv2d(x as tf.Tensor4D, filter as tf.Tensor4D, 2, 'same'),
  },
  {
    name: 'conv2d of one channel, VALID',
    shapes: [
      [1, 5, 5, 1],
      [3, 2, 1, 4],
    ],
    body: (x, filter) => tf.conv2d(x as tf.Tensor4D, filter as tf.Tensor4D, 1, 'valid'),
  },
  {
    name: 'fused conv2d with bias',
    shapes: [[1, 4, 4, 3], [3, 3, 3, 5], [5]],
    body: (x, filter, bias) =>
      tf.fused.conv2d({
        x: x as tf.Tensor4D,
        filter: filter as tf.Tensor4D,
        strides: 1,
        pad: 'same',
        bias: bias as tf.Tensor1D,
      }),
  },
  {
    name: 'depthwise, multiplier 2, stride 2',
    shapes: [
      [1, 5, 6, 5],
      [3, 3, 5, 2],
    ],
    body: (x, filter) => tf.depthwiseConv2d(x as tf.Tensor4D, filter as tf.Tensor4D, 2, 'same'),
  },
  {
    name: 'matMul',
    shapes: [
      [5, 7],
      [7, 6],
    ],
    body: (a, b) => tf.matMul(a, b),
  },
  {
    name: 'matMul, both transposed',
    shapes: [
      [7, 5],
      [6, 7],
    ],
    body: (a, b) => tf.matMul(a, b, true, true),
  },
];

for (const { name, shapes, body } of checks) {
  test(`gradients of ${name}`, () => {
    for (const label of eachDevice()) {
      const inputs = shapes.map((shape, i) => tf.tensor(uniformInput(shape, i + 1).values, shape));
      gradCheck(body, inputs, { step: 0.25, label });
      tf.dispose(inputs);
    }
  });
}
