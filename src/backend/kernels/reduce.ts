import * as tf from '@tensorflow/tfjs';
import type { KernelBackend, TensorInfo } from '../kernelBackend.js';
import type { NativeKernel } from './types.js';

/** In the order of `ReduceOp` in native/ops/reduce.h. */
export const reduceOps = ['Sum', 'Max', 'Min'] as const;

interface Attrs {
  axis?: number | number[];
  reductionIndices?: number | number[]; // Max's name for axis
  keepDims?: boolean;
}

/** One reduction of [outer, reduce, inner] -> [outer, inner]. */
interface Step {
  outer: number;
  reduce: number;
  inner: number;
}

/** Sorted axes as reductions of one range of neighbouring axes each, the last range first. */
function stepsOf(shape: readonly number[], axes: readonly number[]): Step[] {
  const sizes = [...shape];
  const steps: Step[] = [];
  for (let last = axes.length - 1; last >= 0;) {
    let first = last;
    while (first > 0 && axes[first - 1] === axes[first] - 1) first--;
    const [begin, end] = [axes[first], axes[last] + 1];
    steps.push({
      outer: tf.util.sizeFromShape(sizes.slice(0, begin)),
      reduce: tf.util.sizeFromShape(sizes.slice(begin, end)),
      inner: tf.util.sizeFromShape(sizes.slice(end)),
    });
    sizes.splice(begin, end - begin);
    last = first - 1;
  }
  return steps;
}

function reduce(
  backend: KernelBackend,
  op: number,
  x: TensorInfo,
  { axis, reductionIndices, keepDims = false }: Attrs,
  mean = false,
): TensorInfo | undefined {
  const size = tf.util.sizeFromShape(x.shape);
  if (x.dtype !== 'float32' || size === 0) return undefined;
  const axes = tf.util.parseAxisParam((axis ?? reductionIndices)!, x.shape).sort((a, b) => a - b);
  const [shape] = tf.backend_util.computeOutAndReduceShapes(x.shape, axes);
  const outShape = keepDims ? tf.backend_util.expandShapeToKeepDim(shape, axes) : shape;
  const steps = stepsOf(x.shape, axes);
  if (steps.length === 0) steps.push({ outer: size, reduce: 1, inner: 1 });
  const input = backend.floats(x);
  const { info, values } = backend.output(outShape);

  let source = input;
  steps.forEach((step, index) => {
    const isLast = index === steps.length - 1;
    const target = isLast ? values : backend.scratch(step.outer * step.inner);
    const scale = mean && isLast ? tf.util.sizeFromShape(outShape) / size : 1;
    backend.ops.reduce({ op, x: source, y: target, ...step, scale });
    if (index > 0) backend.releaseScratch(source);
    source = target;
  });
  return info;
}

const argMax: NativeKernel = {
  kernelName: 'ArgMax',
  run({ inputs: { x }, attrs, backend }) {
    if (x.dtype !== 'float32' || tf.util.sizeFromShape(x.shape) === 0) return undefined;
    const axes = tf.util.parseAxisParam((attrs as Attrs).axis!, x.shape);
    if (axes.length !== 1) return undefined;
    const [step] = stepsOf(x.shape, axes);
    const input = backend.floats(x);
    const { info, values } = backend.intOutput(x.shape.filter((_, d) => d !== axes[0]));
    backend.ops.argMax({ x: input, y: values, ...step });
    return info;
  },
};

const softmax: NativeKernel = {
  kernelName: 'Softmax',
  run({ inputs: { logits }, attrs, backend }) {
    const { dim } = attrs as { dim: number };
    const { shape, dtype } = logits;
    const cols = shape.at(-1) ?? 0;
    if (dtype !== 'float32' || cols === 0 || (dim !== -1 && dim !== shape.length - 1)) {
      return undefined;
    }
    const input = backend.floats(logits);
    const { info, values } = backend.output(shape);
    backend.ops.softmax({ x: input, y: values, rows: tf.util.sizeFromShape(shape) / cols, cols });
    return info;
  },
};

export const reduceKernels: NativeKernel[] = [
  ...reduceOps.map((kernelName, op): NativeKernel => ({
    kernelName,
    run: ({ inputs: { x }, attrs, backend }) => reduce(backend, op, x, attrs as Attrs),
  })),
  {
    kernelName: 'Mean',
    run: ({ inputs: { x }, attrs, backend }) => reduce(backend, 0, x, attrs as Attrs, true),
  },
  argMax,
  softmax,
];
