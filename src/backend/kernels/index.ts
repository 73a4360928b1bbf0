/** The kernels that `native` runs as C++. Everything else is tfjs's own cpu kernel. */
import { binaryKernels } from './binary.js';
import { conv2dKernels } from './conv2d.js';
import { reduceKernels } from './reduce.js';
import { maskPredictorKernels } from './maskPredictor.js';
import { maskKernels } from './masks.js';
import type { NativeKernel } from './types.js';
import { unaryKernels } from './unary.js';

export const nativeKernels: NativeKernel[] = [
  ...binaryKernels,
  ...conv2dKernels,
  ...reduceKernels,
  ...maskKernels,
  ...maskPredictorKernels,
  ...unaryKernels,
];
