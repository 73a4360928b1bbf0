import * as tf from '@tensorflow/tfjs';
import type { NativeBackend, TensorInfo } from '../nativeBackend.js';
import { binaryOps } from './binary.js';
import { loopNest, stridesOf, type LoopNest } from './shapes.js';
import type { KernelCall, NativeKernel } from './types.js';

const { sizeFromShape } = tf.util;

function filled(backend: NativeBackend, shape: number[], value: number): TensorInfo {
  const { info, values } = backend.output(shape);
  values.fill(value);
  return info;
}

const fill: NativeKernel = {
  kernelName: 'Fill',
  run({ attrs, backend }) {
    const { shape, value, dtype } = attrs as { shape: number[]; value: number; dtype?: string };
    if ((dtype ?? tf.util.inferDtype(value)) !== 'float32') return undefined;
    return filled(backend, shape, value);
  },
};

const constantLike = (kernelName: string, value: number): NativeKernel => ({
  kernelName,
  run: ({ inputs: { x }, backend }) =>
    x.dtype === 'float32' ? filled(backend, x.shape, value) : undefined,
});

/** Converts to float32 for real: tfjs's own kernel relabels the integers, and every later kernel would convert them. */
const cast: NativeKernel = {
  kernelName: 'Cast',
  run({ inputs: { x }, attrs, backend }) {
    const { dtype } = attrs as { dtype: string };
    if (dtype === 'float32' && (x.dtype === 'int32' || x.dtype === 'bool')) {
      const stored = backend.data.get(x.dataId).values as tf.TypedArray;
      if (stored instanceof Float32Array) return undefined; // OneHot stores fractions under the name int32
      const { info, values } = backend.output(x.shape);
      values.set(stored);
      return info;
    }
    if (x.dtype !== 'float32') return undefined;
    if (dtype === 'int32') {
      const { info, values } = backend.intOutput(x.shape);
      values.set(backend.floats(x));
      return info;
    }
    const count = sizeFromShape(x.shape);
    const nest = loopNest([count], [1], [0]);
    if (dtype !== 'bool' || nest === undefined) return undefined;
    const a = backend.floats(x);
    const { info, values } = backend.boolOutput(x.shape);
    const op = binaryOps.indexOf('NotEqual');
    backend.binding.binary({ op, a, b: new Float32Array(1), y: values, ...nest });
    return info;
  },
};

/** Copies x, from an offset and along a loop nest, into a part of `target`. */
function copy(
  backend: NativeBackend,
  x: TensorInfo,
  xOffset: number,
  target: Float32Array,
  yOffset: number,
  nest: LoopNest,
): void {
  backend.binding.copy({ x: backend.floats(x), xOffset, y: target, yOffset, ...nest });
}

const offsetOf = (start: readonly number[], strides: readonly number[]) =>
  start.reduce((sum, index, d) => sum + index * strides[d], 0);

const slice: NativeKernel = {
  kernelName: 'Slice',
  run({ inputs: { x }, attrs, backend }) {
    const { begin, size } = attrs as { begin: number[]; size: number[] };
    const [start, shape] = tf.slice_util.parseSliceParams(x, begin, size);
    tf.slice_util.assertParamsValid(x, start, shape);
    // A contiguous slice shares x's memory: the host kernel does that.
    if (x.dtype !== 'float32' || tf.slice_util.isSliceContinous(x.shape, start, shape))
      return undefined;
    const strides = stridesOf(x.shape);
    const nest = loopNest(shape, strides, stridesOf(shape));
    if (nest === undefined) return undefined;
    const { info, values } = backend.output(shape);
    copy(backend, x, offsetOf(start, strides), values, 0, nest);
    return info;
  },
};

const pad: NativeKernel = {
  kernelName: 'PadV2',
  run({ inputs: { x }, attrs, backend }) {
    const { paddings, constantValue } = attrs as unknown as {
      paddings: [before: number, after: number][];
      constantValue: number;
    };
    if (paddings.flat().some((size) => size < 0)) return undefined; // a negative one cuts off
    const shape = x.shape.map((size, d) => paddings[d][0] + size + paddings[d][1]);
    const strides = stridesOf(shape);
    const nest = loopNest(x.shape, stridesOf(x.shape), strides);
    if (x.dtype !== 'float32' || nest === undefined) return undefined;
    const { info, values } = backend.output(shape);
    values.fill(constantValue);
    const start = paddings.map(([before]) => before);
    copy(backend, x, 0, values, sizeFromShape(x.shape) === 0 ? 0 : offsetOf(start, strides), nest);
    return info;
  },
};

const concat: NativeKernel = {
  kernelName: 'Concat',
  run({ inputs, attrs, backend }) {
    const all = inputs as unknown as TensorInfo[]; // Concat's inputs are an array
    const axis = tf.util.parseAxisParam((attrs as { axis: number }).axis, all[0].shape)[0];
    const parts = all.filter((part) => sizeFromShape(part.shape) > 0);
    if (parts.length < 2 || all.some((part) => part.dtype !== 'float32')) return undefined;
    const shapes = all.map((part) => part.shape);
    tf.backend_util.assertParamsConsistent(shapes, axis);
    const shape = tf.backend_util.computeOutShape(shapes, axis);
    const outer = sizeFromShape(shape.slice(0, axis));
    const width = sizeFromShape(shape.slice(axis));
    if (outer * width > 2 ** 31 - 1) return undefined;
    const { info, values } = backend.output(shape);
    let offset = 0;
    for (const part of parts) {
      const inner = sizeFromShape(part.shape.slice(axis));
      copy(backend, part, 0, values, offset, loopNest([outer, inner], [inner, 1], [width, 1])!);
      offset += inner;
    }
    return info;
  },
};

const tile: NativeKernel = {
  kernelName: 'Tile',
  run({ inputs: { x }, attrs, backend }) {
    const { reps } = attrs as { reps: number[] };
    const shape = x.shape.map((size, d) => size * reps[d]);
    const [from, to] = [stridesOf(x.shape), stridesOf(shape)];
    const nest = loopNest(
      x.shape.flatMap((size, d) => [reps[d], size]),
      from.flatMap((stride) => [0, stride]),
      to.flatMap((stride, d) => [stride * x.shape[d], stride]),
    );
    if (x.dtype !== 'float32' || nest === undefined) return undefined;
    const { info, values } = backend.output(shape);
    copy(backend, x, 0, values, 0, nest);
    return info;
  },
};

const transpose: NativeKernel = {
  kernelName: 'Transpose',
  run({ inputs: { x }, attrs, backend }) {
    const { perm } = attrs as { perm: number[] };
    const strides = stridesOf(x.shape);
    const shape = perm.map((d) => x.shape[d]);
    const nest = loopNest(
      shape,
      perm.map((d) => strides[d]),
      stridesOf(shape),
    );
    if (x.dtype !== 'float32' || nest === undefined) return undefined;
    const { info, values } = backend.output(shape);
    copy(backend, x, 0, values, 0, nest);
    return info;
  },
};

const gather: NativeKernel = {
  kernelName: 'GatherV2',
  run({ inputs: { x, indices }, attrs, backend }: KernelCall) {
    const { axis, batchDims } = attrs as { axis: number; batchDims?: number };
    const at = tf.util.parseAxisParam(axis, x.shape)[0];
    const inner = sizeFromShape(x.shape.slice(at + 1));
    const picks = backend.ints(indices);
    const size = x.shape[at];
    // The host kernel explains what is wrong with an index, and handles what is rare.
    if (x.dtype !== 'float32' || (batchDims ?? 0) !== 0) return undefined;
    if (picks.some((index) => index < 0 || index >= size)) return undefined;
    const outer = sizeFromShape(x.shape.slice(0, at));
    const source = backend.floats(x);
    const { info, values } = backend.output([
      ...x.shape.slice(0, at),
      ...indices.shape,
      ...x.shape.slice(at + 1),
    ]);
    let position = 0;
    for (let o = 0; o < outer; o++) {
      for (const index of picks) {
        const start = (o * size + index) * inner;
        if (inner === 1) values[position] = source[start];
        else values.set(source.subarray(start, start + inner), position);
        position += inner;
      }
    }
    return info;
  },
};

export const movementKernels: NativeKernel[] = [
  fill,
  constantLike('ZerosLike', 0),
  constantLike('OnesLike', 1),
  cast,
  slice,
  pad,
  concat,
  tile,
  transpose,
  gather,
];
