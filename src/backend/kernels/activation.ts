/** Activations of the fused kernels. */
import * as tf from '@tensorflow/tfjs';
import type { KernelBackend, TensorInfo } from '../kernelBackend.js';

/** In the order of `Activation` in native/ops/activation.h: applied by the native kernels as they write. */
export const nativeActivations = ['linear', 'relu', 'relu6'] as const;

/** tfjs's kernels for the rest, applied to the finished output. */
const hostActivations: Record<string, string> = {
  elu: 'Elu',
  prelu: 'Prelu',
  leakyrelu: 'LeakyRelu',
  sigmoid: 'Sigmoid',
};

export interface FusedAttributes {
  activation?: string;
  leakyreluAlpha?: number;
}

/** Whether `activation` is one that tfjs's fused kernels know. */
export function isKnownActivation(activation: string): boolean {
  return indexOf(activation) >= 0 || activation in hostActivations;
}

/** What to ask of the native kernel: `activation` itself, or linear where `applyRest` has to follow. */
export function nativeActivation(activation: string): number {
  return Math.max(0, indexOf(activation));
}

function indexOf(activation: string): number {
  return nativeActivations.findIndex((name) => name === activation);
}

/** Applies an activation that the native kernel has not; disposes `y` where it returns another tensor. */
export function applyRest(
  y: TensorInfo,
  { activation = 'linear', leakyreluAlpha }: FusedAttributes,
  preluWeights: TensorInfo | undefined,
  backend: KernelBackend,
): TensorInfo {
  const kernelName = hostActivations[activation];
  if (kernelName === undefined) return y;
  const inputs: tf.NamedTensorInfoMap =
    activation === 'prelu' ? { x: y, alpha: preluWeights } : { x: y };
  const attrs: tf.NamedAttrMap =
    activation === 'leakyrelu' ? { alpha: leakyreluAlpha as number } : {};
  const { kernelFunc } = tf.getKernel(kernelName, backend.name);
  const result = kernelFunc({ inputs, attrs, backend }) as TensorInfo;
  backend.disposeIntermediateTensorInfo(y);
  return result;
}
