import * as tf from '@tensorflow/tfjs';
import type { NativeKernel } from './types.js';

/** In the order of `UnaryOp` in native/ops/unary.h. */
export const unaryOps = [
  'Relu',
  'Relu6',
  'Step',
  'ClipByValue',
  'LeakyRelu',
  'Elu',
  'Neg',
  'Abs',
  'Square',
  'Sqrt',
  'Rsqrt',
  'Reciprocal',
  'Floor',
  'Exp',
  'Log',
  'Log1p',
  'Sigmoid',
  'Tanh',
  'Softplus',
] as const;

interface Attrs {
  alpha?: number;
  clipValueMin?: number;
  clipValueMax?: number;
}

function unaryKernel(kernelName: (typeof unaryOps)[number], op: number): NativeKernel {
  return {
    kernelName,
    run({ inputs, attrs, backend }) {
      const x = inputs.x;
      if (x.dtype !== 'float32') return undefined;
      const { alpha, clipValueMin, clipValueMax } = attrs as Attrs;
      const input = backend.floats(x);
      const { info, values } = backend.output(x.shape);
      backend.ops.unary({
        op,
        x: input,
        y: values,
        count: tf.util.sizeFromShape(x.shape),
        alpha: clipValueMin ?? alpha ?? 0,
        beta: clipValueMax ?? 0,
      });
      return info;
    },
  };
}

export const unaryKernels: NativeKernel[] = unaryOps.map(unaryKernel);
