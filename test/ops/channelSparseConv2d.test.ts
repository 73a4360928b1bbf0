import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as tf from '@tensorflow/tfjs';
import type { Tensor, Tensor2D, Tensor4D } from '@tensorflow/tfjs';
import {
  channelSparseConv2d,
  type ChannelSparseConv2dOptions,
  deviceInfo,
  setThreads,
} from '../../src/index.js';
import { binding } from '../../src/binding.js';
import { allClose } from '../allClose.js';
import { type SparseConvCase, sparseConvCases } from '../cases/channelSparseConv2d.js';
import { gradCheck } from '../gradCheck.js';
import { agreesOn, type Input } from '../agrees.js';
import { invalid, tensorOf, uniformInput, withEachBackend } from './opsHelpers.js';

/** Gradients of squares sum hundreds of products of either sign. */
const longSums = { absolute: 1e-4 };

/** A mask with about the share `active` of ones. */
function maskInput(n: number, c: number, active: number, seed: number, alike = false): Input {
  const { shape, values } = uniformInput([n, c], seed);
  const row = (i: number) => (alike ? i % c : i);
  return { shape, values: values.map((_, i) => (values[row(i)] < 2 * active - 1 ? 1 : 0)) };
}

/** x, filter, and the masks that the case has. */
function inputsOf(c: SparseConvCase): Input[] {
  const inputs = [uniformInput(c.x, 1), uniformInput(c.filter, 2)];
  const [n, cIn, cOut] = [c.x[0], c.x[3], c.filter[3]];
  if (c.input !== undefined) inputs.push(maskInput(n, cIn, c.input, 3, c.uniformMasks));
  if (c.output !== undefined) inputs.push(maskInput(n, cOut, c.output, 4, c.uniformMasks));
  return inputs;
}

function convolve(c: SparseConvCase, [x, filter, ...masks]: Tensor[]): Tensor4D {
  const options: ChannelSparseConv2dOptions = {
    strides: c.strides,
    pad: c.pad,
    dilations: c.dilations,
  };
  if (c.input !== undefined) options.inputMask = masks.shift() as Tensor2D;
  if (c.output !== undefined) options.outputMask = masks.shift() as Tensor2D;
  return channelSparseConv2d(x as Tensor4D, filter as Tensor4D, options);
}

/** The gradient of a weighted sum of the result, for x (0) or the filter (1). */
function gradient(c: SparseConvCase, which: number, inputs: Tensor[]): Tensor {
  const f = (...t: Tensor[]) => tf.sum(tf.square(convolve(c, [...t, ...inputs.slice(2)])));
  return tf.grads(f)(inputs.slice(0, 2))[which];
}

for (const c of sparseConvCases) {
  test(`channelSparseConv2d: ${c.name}`, () => {
    agreesOn(inputsOf(c), (...tensors) => convolve(c, tensors));
  });
  test(`channelSparseConv2d, input gradient: ${c.name}`, () => {
    agreesOn(inputsOf(c), (...tensors) => gradient(c, 0, tensors), longSums);
  });
  test(`channelSparseConv2d, filter gradient: ${c.name}`, () => {
    agreesOn(inputsOf(c), (...tensors) => gradient(c, 1, tensors), longSums);
  });
}

for (const name of ['both masks', 'stride 2 and dilation 2', 'dilation 2 x 3']) {
  test(`channelSparseConv2d, finite differences: ${name}`, async () => {
    const c: SparseConvCase = {
      ...sparseConvCases.find((entry) => entry.name === name)!,
      x: [3, 5, 6, 2],
      filter: [2, 3, 2, 3],
    };
    await withEachBackend(async (label) => {
      const [x, filter, ...masks] = inputsOf(c).map((input) => tensorOf(input));
      gradCheck((...t) => convolve(c, [...t, ...masks]), [x, filter], { step: 0.1, label });
      tf.dispose([x, filter, ...masks]);
    });
  });
}

test('channelSparseConv2d: without masks it is conv2d', async () => {
  await withEachBackend(async (label) => {
    tf.tidy(() => {
      const x = tensorOf<Tensor4D>(uniformInput([2, 5, 4, 3], 1));
      const filter = tensorOf<Tensor4D>(uniformInput([3, 3, 3, 4], 2));
      const expected = tf.conv2d(x, filter, 2, 'same');
      const actual = channelSparseConv2d(x, filter, { strides: 2, pad: 'same' });
      allClose(actual, expected, undefined, label);
    });
  });
});

/** Masks that drop channels 1 and 3 of three samples. */
const droppingMasks: Record<string, number[][]> = {
  'one run, skipped': Array.from({ length: 3 }, () => [1, 0, 1, 0]),
  'three runs, cheaper dense': [
    [1, 0, 1, 0],
    [1, 0, 0, 0],
    [1, 0, 1, 0],
  ],
};

for (const [name, mask] of Object.entries(droppingMasks)) {
  test(`channelSparseConv2d: masked channels may hold NaN, also in both gradients: ${name}`, async () => {
    await withEachBackend(async (label) => {
      tf.tidy(() => {
        const clean = tensorOf<Tensor4D>(uniformInput([3, 3, 3, 4], 1));
        const dirty = tf.add(clean, tf.tensor1d([0, NaN, 0, Infinity])) as Tensor4D;
        const filter = tensorOf<Tensor4D>(uniformInput([2, 2, 4, 4], 2));
        const inputMask = tf.tensor2d(mask);
        const f = (x: Tensor, w: Tensor) =>
          tf.sum(channelSparseConv2d(x as Tensor4D, w as Tensor4D, { inputMask }));
        const run = (x: Tensor) => [f(x, filter), ...tf.grads(f)([x, filter])];
        const expected = run(clean);
        run(dirty).forEach((actual, i) =>
          allClose(actual, expected[i], undefined, `${label}, ${i}`),
        );
        assert.ok(Number.isFinite(expected[0].dataSync()[0]));
      });
    });
  });
}

test('channelSparseConv2d: dropped outputs are zero and pass no gradient, even for NaN', async () => {
  await withEachBackend(async () => {
    tf.tidy(() => {
      const x = tf.ones<tf.Rank.R4>([1, 1, 1, 2]);
      const filter = tf.tensor4d([1, NaN, 2, NaN], [1, 1, 2, 2]);
      const outputMask = tf.tensor2d([[1, 0]]);
      const f = (t: Tensor) => channelSparseConv2d(t as Tensor4D, filter, { outputMask });
      assert.deepEqual(Array.from(f(x).dataSync()), [3, 0]);
    });
  });
});

test('channelSparseConv2d: masks get a zero gradient', async () => {
  await withEachBackend(async () => {
    tf.tidy(() => {
      const x = tf.ones<tf.Rank.R4>([1, 1, 1, 2]);
      const filter = tf.ones<tf.Rank.R4>([1, 1, 2, 3]);
      const f = (inputMask: Tensor, outputMask: Tensor) =>
        tf.sum(
          channelSparseConv2d(x, filter, {
            inputMask: inputMask as Tensor2D,
            outputMask: outputMask as Tensor2D,
          }),
        );
      const [dIn, dOut] = tf.grads(f)([tf.ones([1, 2]), tf.ones([1, 3])]);
      assert.deepEqual([dIn.arraySync(), dOut.arraySync()], [[[0, 0]], [[0, 0, 0]]]);
    });
  });
});

test('channelSparseConv2d: empty batch, also its gradients', async () => {
  await withEachBackend(async () => {
    tf.tidy(() => {
      const [x, filter] = [tf.zeros([0, 5, 5, 2]), tf.ones([3, 3, 2, 4])];
      const f = (...t: Tensor[]) => channelSparseConv2d(t[0] as Tensor4D, t[1] as Tensor4D);
      assert.deepEqual(f(x, filter).shape, [0, 3, 3, 4]);
      const [dx, dFilter] = tf.grads((...t: Tensor[]) => tf.sum(f(...t)))([x, filter]);
      assert.deepEqual(dx.shape, x.shape);
      allClose(dFilter, tf.zeros(filter.shape));
    });
  });
});

test('channelSparseConv2d: any number of threads', () => {
  const { threads } = deviceInfo();
  const c = sparseConvCases.find(({ name }) => name === 'both masks')!;
  try {
    for (const count of [1, 3, 7]) {
      setThreads(count);
      agreesOn(inputsOf(c), (...tensors) => convolve(c, tensors));
      agreesOn(inputsOf(c), (...tensors) => gradient(c, 1, tensors));
    }
  } finally {
    setThreads(threads);
  }
});

test('channelSparseConv2d: bad arguments', () => {
  tf.tidy(() => {
    const x = tf.zeros<tf.Rank.R4>([2, 5, 5, 3]);
    const filter = tf.zeros<tf.Rank.R4>([3, 3, 3, 4]);
    const bad =
      (options: object, a: Tensor = x, b: Tensor = filter) =>
      () =>
        channelSparseConv2d(a as Tensor4D, b as Tensor4D, options);
    invalid(bad({}, tf.zeros([5, 5, 3])), 'x must be [N, H, W, cIn], got [5, 5, 3]');
    invalid(bad({}, x, tf.zeros([3, 3, 3])), 'filter must be [kh, kw, cIn, cOut], got [3, 3, 3]');
    invalid(
      bad({}, x, tf.zeros([3, 3, 2, 4])),
      'filter must be [kh, kw, cIn, cOut] = [3, 3, 3, 4], got [3, 3, 2, 4]',
    );
    invalid(bad({}, x, tf.zeros([3, 0, 3, 4])), 'without empty sizes');
    invalid(bad({}, tf.zeros([2, 5, 5, 3], 'int32')), 'x must be float32, got int32');
    invalid(
      bad({ inputMask: tf.zeros([2, 4]) }),
      'inputMask must be [N, cIn] = [2, 3], got [2, 4]',
    );
    invalid(
      bad({ outputMask: tf.zeros([1, 4]) }),
      'outputMask must be [N, cOut] = [2, 4], got [1, 4]',
    );
    invalid(bad({ inputMask: tf.zeros([2, 3], 'bool') }), 'inputMask must be float32, got bool');
    invalid(bad({ strides: 0 }), 'strides must be an integer >= 1, got 0');
    invalid(bad({ strides: [1, 1.5] }), 'strides must be an integer >= 1, got 1.5');
    invalid(bad({ dilations: [2] }), 'dilations must be a number or a pair of numbers, got 2');
    invalid(bad({ dilations: NaN }), 'dilations must be an integer >= 1, got NaN');
    invalid(bad({ pad: 'full' }), "pad must be 'same', 'valid', a number");
    invalid(bad({ pad: -1 }), 'pad must be an integer >= 0, got -1');
    invalid(
      bad({
        pad: [
          [1, 0],
          [0, 0],
          [0, 0],
          [0, 0],
        ],
      }),
      'pad must be 0 for the batch',
    );
    invalid(bad({ dilations: 3 }), 'does not fit into x [5, 5]');
  });
});

test('the native op takes images without pixels', () => {
  const y = new Float32Array(2 * 2 * 5).fill(9);
  binding.channelSparseConv2d({
    ...{ n: 2, h: 0, w: 3, cIn: 2, kh: 3, kw: 3, cOut: 1, outH: 2, outW: 5 },
    ...{ strideH: 1, strideW: 1, padTop: 2, padLeft: 2, dilationH: 1, dilationW: 1 },
    inputMask: Float32Array.of(1, 1, 1, 0),
    outputMask: Float32Array.of(1, 1),
    x: new Float32Array(0),
    filter: new Float32Array(3 * 3 * 2).fill(1),
    y,
  });
  assert.ok(y.every((value) => value === 0));
});
