/** The kernels that `native` runs as C++. Everything else is tfjs's own cpu kernel. */
import { conv2dKernels } from './conv2d.js';
import type { NativeKernel } from './types.js';
import { unaryKernels } from './unary.js';

export const nativeKernels: NativeKernel[] = [...conv2dKernels, ...unaryKernels];
