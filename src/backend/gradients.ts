/**
 * Gradients of tfjs's own kernels that a fused native kernel computes; on other backends tfjs's own run.
 * Gradients are global in tfjs, so these look at the backend when they run.
 */
import * as tf from '@tensorflow/tfjs';
import type { NamedTensorMap, Tensor } from '@tensorflow/tfjs';

export function registerNativeGradients(): void {
  replaceReluGradient();
  replaceBatchNormGradient();
}

/** Relu: one pass instead of Step and Multiply. */
function replaceReluGradient(): void {
  const original = tf.getGradient('Relu');
  if (original === undefined) return;
  tf.unregisterGradient('Relu');
  tf.registerGradient({
    ...original,
    gradFunc: (dy, saved, attrs) => {
      const isNative = tf.getKernel('ReluGrad', tf.getBackend()) != null;
      if (!isNative || (dy as Tensor).dtype !== 'float32' || saved[0].dtype !== 'float32') {
        return original.gradFunc(dy, saved, attrs);
      }
      const inputs = { a: dy as Tensor, b: saved[0] };
      return { x: () => tf.engine().runKernel('ReluGrad', inputs) as unknown as Tensor };
    },
  });
}

/**
 * FusedBatchNorm: tfjs's gradient makes about ten tensors as large as x, `FusedBatchNormGrad` makes one.
 */
function replaceBatchNormGradient(): void {
  const original = tf.getGradient('FusedBatchNorm');
  if (original === undefined) return;
  tf.unregisterGradient('FusedBatchNorm');
  tf.registerGradient({
    ...original,
    gradFunc: (dy, saved, attrs) => {
      const [x, mean, variance, scale] = saved;
      const isNative = tf.getKernel('FusedBatchNormGrad', tf.getBackend()) != null;
      const channels = [x.shape.at(-1)!];
      const isPerChannel = [mean, variance, scale].every(
        (tensor) => tensor == null || tf.util.arraysEqual(tensor.shape, channels),
      );
      if (!isNative || !isPerChannel) return original.gradFunc(dy, saved, attrs);
      const inputs: NamedTensorMap = { dy: dy as Tensor, x, mean, variance };
      if (scale != null) inputs.scale = scale;
      const [dx, dMean, dVariance, dScale, dOffset] = tf
        .engine()
        .runKernel('FusedBatchNormGrad', inputs, attrs) as unknown as Tensor[];
      return {
        x: () => dx,
        mean: () => dMean,
        variance: () => dVariance,
        scale: () => dScale,
        offset: () => dOffset,
      };
    },
  });
}
