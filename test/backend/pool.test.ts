import { test } from 'node:test';
import * as tf from '@tensorflow/tfjs';
import { agrees, uniform } from '../agrees.js';
import { eachDevice } from '../devices.js';
import { allClose } from '../allClose.js';
import { invalid } from '../ops/opsHelpers.js';

type Pad = 'same' | 'valid' | number | [[0, 0], [number, number], [number, number], [0, 0]];
interface Case {
  shape: [number, number, number, number];
  window: number | [number, number];
  strides: number | [number, number];
  pad: Pad;
}

const cases: Case[] = [
  { shape: [1, 4, 4, 1], window: 2, strides: 2, pad: 'valid' },
  { shape: [3, 8, 6, 16], window: 2, strides: 2, pad: 'same' },
  { shape: [3, 7, 5, 3], window: 2, strides: 2, pad: 'same' },
  { shape: [3, 7, 5, 3], window: 2, strides: 2, pad: 'valid' },
  { shape: [1, 9, 7, 37], window: 3, strides: 2, pad: 'same' },
  { shape: [2, 6, 7, 5], window: 3, strides: 1, pad: 'same' },
  { shape: [1, 6, 7, 130], window: [2, 3], strides: [3, 1], pad: 'valid' },
  { shape: [2, 6, 6, 4], window: 3, strides: 2, pad: 1 },
  {
    shape: [2, 5, 6, 4],
    window: [3, 2],
    strides: [2, 1],
    pad: [
      [0, 0],
      [1, 0],
      [0, 1],
      [0, 0],
    ],
  },
  { shape: [3, 5, 4, 9], window: [5, 4], strides: 1, pad: 'valid' },
  { shape: [3, 1, 1, 9], window: 1, strides: 1, pad: 'same' },
];

const text = ({ shape, window, strides, pad }: Case) =>
  `[${shape}], window ${window}, strides ${strides}, pad ${JSON.stringify(pad)}`;

function weightedSum(y: tf.Tensor): tf.Scalar {
  return tf.sum(tf.mul(y, uniform(y.shape, 0.5, 2, 77)));
}

/** The average of each window from its definition: a sum of slices, whose gradients tfjs gets right. */
function averageByDefinition(x: tf.Tensor4D, item: Case): tf.Tensor {
  const { filterHeight, filterWidth, padInfo, outHeight, outWidth, strideHeight, strideWidth } =
    tf.backend_util.computePool2DInfo(x.shape, item.window, item.strides, 1, item.pad as number);
  const padded = (value: tf.Tensor4D) =>
    tf.pad(value, [
      [0, 0],
      [padInfo.top, padInfo.bottom + strideHeight],
      [padInfo.left, padInfo.right + strideWidth],
      [0, 0],
    ]);
  const sumOfWindows = (value: tf.Tensor4D) => {
    const parts: tf.Tensor[] = [];
    for (let h = 0; h < filterHeight; h++) {
      for (let w = 0; w < filterWidth; w++) {
        parts.push(
          tf.stridedSlice(
            padded(value),
            [0, h, w, 0],
            [
              x.shape[0],
              h + (outHeight - 1) * strideHeight + 1,
              w + (outWidth - 1) * strideWidth + 1,
              x.shape[3],
            ],
            [1, strideHeight, strideWidth, 1],
          ),
        );
      }
    }
    return tf.addN(parts);
  };
  return tf.div(sumOfWindows(x), sumOfWindows(tf.onesLike(x)));
}

for (const item of cases) {
  const input = () => uniform(item.shape) as tf.Tensor4D;
  const maximum = (x: tf.Tensor4D) => tf.maxPool(x, item.window, item.strides, item.pad);
  const average = (x: tf.Tensor4D) => tf.avgPool(x, item.window, item.strides, item.pad);

  test(`MaxPool and its gradient agree with cpu: ${text(item)}`, () => {
    agrees('forward', () => maximum(input()));
    agrees('gradient', () => tf.grad((x) => weightedSum(maximum(x as tf.Tensor4D)))(input()));
  });

  test(`AvgPool and its gradient leave the padding out: ${text(item)}`, () => {
    agrees('forward', () => average(input()));
    for (const name of eachDevice()) {
      tf.tidy(() => {
        // Linear in x: the gradient at 0 in direction v is the function at v.
        const dx = tf.grad((x) => weightedSum(average(x as tf.Tensor4D)))(input());
        const v = uniform(item.shape, -1, 1, 5) as tf.Tensor4D;
        allClose(tf.sum(tf.mul(dx, v)), weightedSum(average(v)), { absolute: 1e-3 }, name);
        allClose(average(v), averageByDefinition(v, item), {}, name);
      });
    }
  });
}

test('pooling treats ties, NaN and infinities as on cpu', () => {
  const values = [
    1,
    1,
    1,
    1,
    NaN,
    0,
    2,
    2,
    -Infinity,
    -Infinity,
    -Infinity,
    -Infinity,
    NaN,
    NaN,
    NaN,
    NaN,
  ];
  const x = () => tf.transpose(tf.tensor4d(values, [4, 2, 2, 1]), [3, 1, 2, 0]) as tf.Tensor4D;
  agrees('maximum', () => tf.maxPool(x(), 2, 2, 'valid'));
  agrees('gradient', () => tf.grad((t) => tf.sum(tf.maxPool(t as tf.Tensor4D, 2, 1, 'same')))(x()));
  agrees('average', () => tf.avgPool(x(), 2, 2, 'valid'));
});

test('an average over padding alone is NaN, as on cpu', () => {
  agrees('average', () => tf.avgPool(uniform([1, 3, 3, 2]) as tf.Tensor4D, 1, 2, 1));
});

test('a gradient of another shape than the output, and a window larger than the image, are refused', () => {
  tf.setBackend('native');
  const input = tf.zeros<tf.Rank.R4>([1, 4, 4, 2]);
  const output = tf.zeros([1, 2, 2, 2]);
  const dy = tf.zeros([1, 1, 4, 2]);
  const attributes = { filterSize: 2, strides: 2, pad: 'valid' };
  for (const name of ['MaxPoolGrad', 'AvgPoolGrad']) {
    const gradient = () => tf.engine().runKernel(name, { dy, input, output }, attributes);
    invalid(gradient, `${name}: dy must be [1, 2, 2, 2], got [1, 1, 4, 2]`);
  }
  invalid(
    () => tf.maxPool(input, 6, 1, 'valid'),
    'MaxPool: expected an image, with its padding, at least as large as the dilated filter [6, 6], got [4, 4]',
  );
  tf.dispose([input, output, dy]);
});
