/** The kernels that `native` runs as C++. Everything else is tfjs's own cpu kernel. */
import type { NativeKernel } from './types.js';
import { unaryKernels } from './unary.js';

export const nativeKernels: NativeKernel[] = [...unaryKernels];
