/** The kernels that `native` runs as C++. Everything else is tfjs's own cpu kernel. */
import { batchNormKernels } from './batchNorm.js';
import { binaryKernels } from './binary.js';
import { channelSparseConv2dKernels } from './channelSparseConv2d.js';
import { conv2dKernels, depthwiseConv2dKernels } from './convolution.js';
import { maskPredictorKernels } from './maskPredictor.js';
import { maskKernels } from './masks.js';
import { matmulKernels } from './matmul.js';
import { movementKernels } from './movement.js';
import { poolKernels } from './pool.js';
import { reduceKernels } from './reduce.js';
import { sgdMomentum } from './sgdMomentum.js';
import type { NativeKernel } from './types.js';
import { unaryKernels } from './unary.js';

export const nativeKernels: NativeKernel[] = [
  ...batchNormKernels,
  ...binaryKernels,
  ...channelSparseConv2dKernels,
  ...conv2dKernels,
  ...depthwiseConv2dKernels,
  ...maskKernels,
  ...maskPredictorKernels,
  ...matmulKernels,
  ...movementKernels,
  ...poolKernels,
  ...reduceKernels,
  sgdMomentum,
  ...unaryKernels,
];
