import * as tf from '@tensorflow/tfjs';
import type { TensorInfo } from '../kernelBackend.js';
import { broadcastStrides, loopNest, type LoopNest } from './shapes.js';
import type { KernelCall, NativeKernel } from './types.js';

/** In the order of `BinaryOp` in native/ops/binary.h; from `firstComparison` on the result is a bool. */
export const binaryOps = [
  'Add',
  'Sub',
  'Multiply',
  'RealDiv',
  'Maximum',
  'Minimum',
  'SquaredDifference',
  'ReluGrad', // not a kernel of tfjs: inputs a = dy, b = x (src/backend/gradients.ts)
  'Greater',
  'GreaterEqual',
  'Less',
  'LessEqual',
  'Equal',
  'NotEqual',
] as const;
const firstComparison = binaryOps.indexOf('Greater');

const { arraysEqual, sizeFromShape } = tf.util;

function broadcastNest(shape: number[], a: number[], b: number[]): LoopNest | undefined {
  return loopNest(shape, broadcastStrides(a, shape), broadcastStrides(b, shape));
}

function binaryKernel(kernelName: (typeof binaryOps)[number], op: number): NativeKernel {
  return {
    kernelName,
    run({ inputs: { a, b }, backend }) {
      if (a.dtype !== 'float32' || b.dtype !== 'float32') return undefined;
      const shape = tf.backend_util.assertAndGetBroadcastShape(a.shape, b.shape);
      const nest = broadcastNest(shape, a.shape, b.shape);
      if (nest === undefined) return undefined;
      const inputs = { a: backend.floats(a), b: backend.floats(b) };
      const { info, values } =
        op < firstComparison ? backend.output(shape) : backend.boolOutput(shape);
      backend.ops.binary({ op, ...inputs, y: values, ...nest });
      return info;
    },
  };
}

const addN: NativeKernel = {
  kernelName: 'AddN',
  run({ inputs, backend }) {
    const tensors = inputs as unknown as TensorInfo[]; // AddN's inputs are an array
    if (tensors.length < 2 || tensors.some((tensor) => tensor.dtype !== 'float32'))
      return undefined;
    const shape = tensors[0].shape;
    const nest = broadcastNest(shape, shape, shape);
    if (nest === undefined) return undefined;
    const [first, ...others] = tensors.map((tensor) => backend.floats(tensor));
    const { info, values } = backend.output(shape);
    let sum = first;
    for (const b of others) {
      backend.ops.binary({ op: binaryOps.indexOf('Add'), a: sum, b, y: values, ...nest });
      sum = values;
    }
    return info;
  },
};

const select: NativeKernel = {
  kernelName: 'Select',
  run({ inputs: { condition, t, e }, backend }) {
    if (t.dtype !== 'float32' || e.dtype !== 'float32') return undefined;
    if (!arraysEqual(condition.shape, t.shape) || !arraysEqual(t.shape, e.shape)) return undefined;
    const inputs = {
      condition: backend.bytes(condition),
      t: backend.floats(t),
      e: backend.floats(e),
    };
    const { info, values } = backend.output(t.shape);
    backend.ops.select({ ...inputs, y: values, count: sizeFromShape(t.shape) });
    return info;
  },
};

const logicalAnd: NativeKernel = {
  kernelName: 'LogicalAnd',
  run({ inputs: { a, b }, backend }: KernelCall) {
    if (!arraysEqual(a.shape, b.shape)) return undefined;
    const inputs = { a: backend.bytes(a), b: backend.bytes(b) };
    const { info, values } = backend.boolOutput(a.shape);
    backend.ops.logicalAnd({ ...inputs, y: values, count: sizeFromShape(a.shape) });
    return info;
  },
};

export const binaryKernels: NativeKernel[] = [
  ...binaryOps.map(binaryKernel),
  addN,
  select,
  logicalAnd,
];
