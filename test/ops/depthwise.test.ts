import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as tf from '@tensorflow/tfjs';
import type { Conv2dCase } from '../cases/conv2d.js';
import { depthwiseCases } from '../cases/depthwise.js';
import { agreesOn, uniformInput } from '../agrees.js';

function outputShape({ x, filter, strides = 1, pad = 'same', dilations = 1 }: Conv2dCase) {
  return tf.backend_util.computeConv2DInfo(x, filter, strides, dilations, pad, undefined, true)
    .outShape;
}

function attributes({ strides = 1, pad = 'same' }: Conv2dCase) {
  return { strides, pad, dilations: 1 } as unknown as tf.NamedAttrMap;
}

for (const c of depthwiseCases) {
  const { strides = 1, pad = 'same', dilations = 1 } = c;

  test(`depthwise: ${c.name}`, () => {
    agreesOn([uniformInput(c.x, 1), uniformInput(c.filter, 2)], (x, filter) =>
      tf.depthwiseConv2d(
        x as tf.Tensor4D,
        filter as tf.Tensor4D,
        strides,
        pad as 'same',
        'NHWC',
        dilations,
      ),
    );
  });

  if (c.dilations !== undefined) continue;

  test(`depthwise input gradient: ${c.name}`, () => {
    const inputs = [uniformInput(outputShape(c), 3), uniformInput(c.filter, 2)];
    agreesOn(inputs, (dy, filter) =>
      tf
        .engine()
        .runKernel(
          'DepthwiseConv2dNativeBackpropInput',
          { dy, filter },
          { ...attributes(c), inputShape: c.x },
        ),
    );
  });

  test(`depthwise filter gradient: ${c.name}`, () => {
    const inputs = [uniformInput(c.x, 1), uniformInput(outputShape(c), 3)];
    agreesOn(inputs, (x, dy) =>
      tf
        .engine()
        .runKernel(
          'DepthwiseConv2dNativeBackpropFilter',
          { x, dy },
          { ...attributes(c), filterShape: c.filter },
        ),
    );
  });
}

for (const activation of ['relu', 'relu6', 'elu'] as const) {
  test(`fused depthwise: bias and ${activation}`, () => {
    const inputs = [
      uniformInput([2, 4, 4, 18], 1),
      uniformInput([3, 3, 18, 1], 2),
      uniformInput([18], 3),
    ];
    agreesOn(inputs, (x, filter, bias) =>
      tf.fused.depthwiseConv2d({
        x: tf.mul(x, 6) as tf.Tensor4D,
        filter: filter as tf.Tensor4D,
        strides: 1,
        pad: 'same',
        bias: bias as tf.Tensor1D,
        activation,
      }),
    );
  });
}

test('fused depthwise conv2d: a bias of any shape that broadcasts', () => {
  for (const shape of [[], [1], [4], [3, 1], [5, 3, 4]]) {
    const inputs = [
      uniformInput([2, 5, 3, 4], 1),
      uniformInput([3, 3, 4, 1], 2),
      uniformInput(shape, 3),
    ];
    agreesOn(inputs, (x, filter, bias) =>
      tf.fused.depthwiseConv2d({
        x: x as tf.Tensor4D,
        filter: filter as tf.Tensor4D,
        strides: 1,
        pad: 'same',
        bias,
      }),
    );
  }
});

test('depthwise input gradient without output channels is zero', async () => {
  await tf.setBackend('native');
  const inputShape = [1, 64, 64, 2];
  tf.fill(inputShape, 7).dispose(); // its memory is recycled
  const values = tf.tidy(() => {
    const inputs = { dy: tf.zeros([1, 64, 64, 0]), filter: tf.zeros([3, 3, 2, 0]) };
    const attrs = { strides: 1, pad: 'same', dilations: 1, inputShape };
    return (tf.engine().runKernel('DepthwiseConv2dNativeBackpropInput', inputs, attrs) as tf.Tensor)
      .dataSync()
      .slice();
  });
  assert.ok(values.every((value) => value === 0));
});
