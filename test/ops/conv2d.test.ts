import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as tf from '@tensorflow/tfjs';
import { type Conv2dCase, conv2dCases } from '../cases/conv2d.js';
import { agreesOn, uniformInput } from '../agrees.js';
import { invalid } from './opsHelpers.js';

function outputShape(c: Conv2dCase): number[] {
  return tf.backend_util.computeConv2DInfo(
    c.x,
    c.filter,
    c.strides ?? 1,
    c.dilations ?? 1,
    c.pad ?? 'same',
    c.dimRoundingMode,
  ).outShape;
}

function attributes({ strides = 1, pad = 'same', dimRoundingMode }: Conv2dCase) {
  return { strides, pad, dimRoundingMode, dataFormat: 'NHWC' } as unknown as tf.NamedAttrMap;
}

function conv(c: Conv2dCase, x: tf.Tensor, filter: tf.Tensor): tf.Tensor {
  const { strides = 1, pad = 'same', dilations = 1, dimRoundingMode } = c;
  return tf.conv2d(
    x as tf.Tensor4D,
    filter as tf.Tensor4D,
    strides,
    pad,
    'NHWC',
    dilations,
    dimRoundingMode,
  );
}

for (const c of conv2dCases) {
  test(`conv2d: ${c.name}`, () => {
    agreesOn([uniformInput(c.x, 1), uniformInput(c.filter, 2)], (x, filter) => conv(c, x, filter));
  });

  if (c.dilations !== undefined) continue;

  test(`conv2d input gradient: ${c.name}`, () => {
    const inputs = [uniformInput(outputShape(c), 3), uniformInput(c.filter, 2)];
    agreesOn(inputs, (dy, filter) =>
      tf
        .engine()
        .runKernel('Conv2DBackpropInput', { dy, filter }, { ...attributes(c), inputShape: c.x }),
    );
  });

  test(`conv2d filter gradient: ${c.name}`, () => {
    const inputs = [uniformInput(c.x, 1), uniformInput(outputShape(c), 3)];
    agreesOn(inputs, (x, dy) =>
      tf
        .engine()
        .runKernel('Conv2DBackpropFilter', { x, dy }, { ...attributes(c), filterShape: c.filter }),
    );
  });
}

for (const activation of ['linear', 'relu', 'relu6', 'elu', 'sigmoid', 'leakyrelu'] as const) {
  test(`fused conv2d: bias and ${activation}`, () => {
    const inputs = [
      uniformInput([2, 4, 4, 9], 1),
      uniformInput([3, 3, 9, 18], 2),
      uniformInput([18], 3),
    ];
    agreesOn(inputs, (x, filter, bias) =>
      tf.fused.conv2d({
        x: tf.mul(x, 4) as tf.Tensor4D,
        filter: filter as tf.Tensor4D,
        strides: 1,
        pad: 'same',
        bias: bias as tf.Tensor1D,
        activation,
        leakyreluAlpha: 0.3,
      }),
    );
  });
}

test('fused conv2d: prelu without bias', () => {
  const inputs = [
    uniformInput([1, 4, 4, 3], 1),
    uniformInput([3, 3, 3, 5], 2),
    uniformInput([5], 3),
  ];
  agreesOn(inputs, (x, filter, alpha) =>
    tf.fused.conv2d({
      x: x as tf.Tensor4D,
      filter: filter as tf.Tensor4D,
      strides: 1,
      pad: 'valid',
      activation: 'prelu',
      preluActivationWeights: alpha,
    }),
  );
});

test('fused conv2d: a bias of any shape that broadcasts', () => {
  for (const shape of [[], [1], [4], [1, 1, 4], [3, 1], [5, 3, 4], [2, 5, 3, 4]]) {
    const inputs = [
      uniformInput([2, 5, 3, 6], 1),
      uniformInput([3, 3, 6, 4], 2),
      uniformInput(shape, 3),
    ];
    agreesOn(inputs, (x, filter, bias) =>
      tf.fused.conv2d({
        x: x as tf.Tensor4D,
        filter: filter as tf.Tensor4D,
        strides: 1,
        pad: 'same',
        bias,
        activation: 'relu',
      }),
    );
  }
});

test('conv2d gradients refuse a dy of the wrong shape', async () => {
  await tf.setBackend('native');
  const [dy, filter] = [tf.zeros<tf.Rank.R4>([1, 4, 4, 2]), tf.zeros<tf.Rank.R4>([3, 3, 5, 2])];
  assert.throws(() => tf.conv2dTranspose(dy, filter, [1, 6, 6, 5], 2, 'same'), {
    name: 'FtwtError',
    code: 'INVALID_ARGUMENT',
    message: 'Conv2DBackpropInput: dy must be [1, 3, 3, 2], got [1, 4, 4, 2]',
  });
  tf.dispose([dy, filter]);
});

test('a filter that is larger than the image is refused', async () => {
  await tf.setBackend('native');
  const x = tf.zeros<tf.Rank.R4>([1, 4, 5, 3]);
  const filter = tf.zeros<tf.Rank.R4>([3, 3, 3, 3]);
  const expected = ': expected an image, with its padding, at least as large as the dilated filter';
  invalid(
    () => tf.conv2d(x, filter, 1, 'valid', 'NHWC', 3),
    `Conv2D${expected} [7, 7], got [4, 5]`,
  );
  invalid(
    () => tf.depthwiseConv2d(x, filter, 1, 1, 'NHWC', 5),
    `DepthwiseConv2dNative${expected} [11, 11], got [6, 7]`,
  );
  tf.dispose([x, filter]);
});
