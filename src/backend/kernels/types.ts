import type { NamedAttrMap } from '@tensorflow/tfjs';
import type { KernelBackend, TensorInfo } from '../kernelBackend.js';

/** A kernel of the backends `native` and `cuda`. `run` may return `undefined` to hand the call to tfjs's own cpu kernel. */
export interface NativeKernel {
  /** tfjs's kernel name, or ours. */
  kernelName: string;
  run(call: KernelCall): TensorInfo | TensorInfo[] | undefined;
}

/** Inputs and attributes are unchecked at run time, as everywhere in tfjs: kernels cast them to what tfjs documents. */
export interface KernelCall {
  inputs: Record<string, TensorInfo>;
  attrs: NamedAttrMap;
  backend: KernelBackend;
}
