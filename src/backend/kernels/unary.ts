import type { NativeKernel } from './types.js';

/** In the order of `UnaryOp` in native/ops/unary.h. */
export const unaryOps = ['Relu', 'Relu6', 'Step'] as const;

function unaryKernel(kernelName: (typeof unaryOps)[number], op: number): NativeKernel {
  return {
    kernelName,
    run({ inputs, attrs, backend }) {
      const x = inputs.x;
      if (x.dtype !== 'float32') return undefined;
      const { info, values } = backend.output(x.shape);
      const alpha = (attrs as { alpha?: number }).alpha ?? 0;
      backend.binding.unary({ op, x: backend.floats(x), y: values, count: values.length, alpha });
      return info;
    },
  };
}

export const unaryKernels: NativeKernel[] = unaryOps.map(unaryKernel);
