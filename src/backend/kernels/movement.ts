import * as tf from '@tensorflow/tfjs';
import type { Floats } from '../../binding.js';
import type { KernelBackend, TensorInfo } from '../kernelBackend.js';
import { loopNest, stridesOf, type LoopNest } from './shapes.js';
import type { KernelCall, NativeKernel } from './types.js';

const { arraysEqual, sizeFromShape } = tf.util;

function filled(backend: KernelBackend, shape: number[], value: number): TensorInfo {
  const { info, values } = backend.output(shape);
  backend.ops.fill({ y: values, count: sizeFromShape(shape), value });
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

/** In the order of `CastType` in native/ops/cast.h. */
const castTypes = ['float32', 'int32', 'bool'] as const;
type CastType = (typeof castTypes)[number];

const isCastType = (dtype: string): dtype is CastType =>
  (castTypes as readonly string[]).includes(dtype);

/** Converts for real: tfjs's own kernel relabels integers as float32, and every later kernel would convert them. */
const cast: NativeKernel = {
  kernelName: 'Cast',
  run({ inputs: { x }, attrs, backend }) {
    const { dtype } = attrs as { dtype: string };
    if (x.dtype === dtype || !isCastType(x.dtype) || !isCastType(dtype)) return undefined;
    // OneHot stores fractions under the name int32.
    if (x.dtype === 'int32' && backend.hostValues(x) instanceof Float32Array) return undefined;
    const memory = (type: CastType, of: TensorInfo) =>
      type === 'float32'
        ? backend.floats(of)
        : type === 'int32'
          ? backend.ints(of)
          : backend.bytes(of);
    const output = (type: CastType) =>
      type === 'float32'
        ? backend.output(x.shape)
        : type === 'int32'
          ? backend.intOutput(x.shape)
          : backend.boolOutput(x.shape);
    const input = memory(x.dtype, x);
    const { info, values } = output(dtype);
    backend.ops.cast({
      x: input,
      y: values,
      from: castTypes.indexOf(x.dtype),
      to: castTypes.indexOf(dtype),
      count: sizeFromShape(x.shape),
    });
    return info;
  },
};

/** Copies x, from an offset and along a loop nest, into a part of `target`. */
function copy(
  backend: KernelBackend,
  x: TensorInfo,
  xOffset: number,
  target: Floats,
  yOffset: number,
  nest: LoopNest,
): void {
  backend.ops.copy({ x: backend.floats(x), xOffset, y: target, yOffset, ...nest });
}

const offsetOf = (start: readonly number[], strides: readonly number[]) =>
  start.reduce((sum, index, d) => sum + index * strides[d], 0);

const slice: NativeKernel = {
  kernelName: 'Slice',
  run({ inputs: { x }, attrs, backend }) {
    const { begin, size } = attrs as { begin: number[]; size: number[] };
    const [start, shape] = tf.slice_util.parseSliceParams(x, begin, size);
    tf.slice_util.assertParamsValid(x, start, shape);
    if (x.dtype !== 'float32') return undefined;
    // A contiguous slice shares x's memory where it can: the host kernel does that.
    if (backend.sharesMemory && tf.slice_util.isSliceContinous(x.shape, start, shape))
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
    backend.ops.fill({ y: values, count: sizeFromShape(shape), value: constantValue });
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

const pack: NativeKernel = {
  kernelName: 'Pack',
  run({ inputs, attrs, backend }) {
    const parts = inputs as unknown as TensorInfo[]; // Pack's inputs are an array
    const { shape } = parts[0];
    const { axis } = attrs as { axis: number };
    // The host kernel words the error for parts that do not fit, and has its own idea of a negative axis.
    if (axis < 0) return undefined;
    if (parts.some((part) => part.dtype !== 'float32' || !arraysEqual(part.shape, shape))) {
      return undefined;
    }
    const inner = sizeFromShape(shape.slice(axis));
    const outer = sizeFromShape(shape.slice(0, axis));
    const width = inner * parts.length;
    if (outer * width > 2 ** 31 - 1) return undefined;
    const { info, values } = backend.output([
      ...shape.slice(0, axis),
      parts.length,
      ...shape.slice(axis),
    ]);
    parts.forEach((part, i) => {
      const nest = loopNest([outer, inner], [inner, 1], [width, 1])!;
      copy(backend, part, 0, values, i * inner, nest);
    });
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
    const size = x.shape[at];
    if (x.dtype !== 'float32' || (batchDims ?? 0) !== 0) return undefined;
    // The host kernel explains what is wrong with an index. Those on a device are not fetched for it: they give NaN.
    const picks = backend.hostValues(indices) as tf.TypedArray | undefined;
    if (picks?.some((index) => index < 0 || index >= size)) return undefined;
    const inputs = { x: backend.floats(x), indices: backend.ints(indices) };
    const outer = x.shape.slice(0, at);
    const { info, values } = backend.output([...outer, ...indices.shape, ...x.shape.slice(at + 1)]);
    backend.ops.gather({
      ...inputs,
      y: values,
      outer: sizeFromShape(outer),
      size,
      inner,
      count: sizeFromShape(indices.shape),
    });
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
  pack,
  tile,
  transpose,
  gather,
];
