/** The two objectives of a training step: cross entropy of the scores, and how well the masks were predicted. */
import * as tf from '@tensorflow/tfjs';
import { check } from '../errors.js';
import { checkRange, ranges } from './ranges.js';

export interface CrossEntropyOptions {
  /** Share of the probability that is spread evenly over all classes, from 0 (default) to below 1. */
  labelSmoothing?: number;
}

/**
 * Mean over the batch of -sum over classes of target * logSoftmax(logits), where target is one-hot, smoothed if asked.
 *
 * @param logits [N, classes], finite for any magnitude of the scores (the row's maximum is subtracted first)
 * @param labels [N] int32 in [0, classes). Labels outside count as "no class"; `fit` checks them once, on the host.
 * @returns a scalar
 * @throws FtwtError INVALID_ARGUMENT
 */
export function crossEntropy(
  logits: tf.Tensor2D,
  labels: tf.Tensor1D,
  { labelSmoothing = 0 }: CrossEntropyOptions = {},
): tf.Scalar {
  check(
    logits.rank === 2,
    () => `crossEntropy: logits must be [N, classes], got [${logits.shape}]`,
  );
  check(
    labels.rank === 1 && labels.shape[0] === logits.shape[0] && labels.dtype === 'int32',
    () =>
      `crossEntropy: labels must be int32 [${logits.shape[0]}], got ${labels.dtype} [${labels.shape}]`,
  );
  checkRange('crossEntropy', 'labelSmoothing', labelSmoothing, ranges.labelSmoothing);
  return tf.tidy(() => {
    const [n, classes] = logits.shape;
    const smoothed = labelSmoothing / classes;
    const target = tf.oneHot(labels, classes, 1 - labelSmoothing + smoothed, smoothed).toFloat();
    return tf.logSoftmax(logits).mul(target).sum().div<tf.Scalar>(-n);
  });
}

/** What `maskLoss` needs of each masked layer. */
export interface MaskPrediction {
  maskLogits: tf.Tensor2D; // [N, C]
  targetMask?: tf.Tensor2D; // [N, C], present in training only
}

/**
 * Mean over layers of (sum over channels of BCE-with-logits(maskLogits, targetMask), mean over the batch).
 *
 * Computed as softplus(z) - z * target, whose gradient sigmoid(z) - target is exact everywhere. (The usual form with
 * relu and |z| is off by 0.5 at z = 0, where a freshly initialised predictor starts.)
 *
 * @param predictions one per masked layer, all with the same N; no gradient flows to the targets
 * @returns a scalar; 0 for no layers
 * @throws FtwtError INVALID_ARGUMENT if a target is missing or a shape differs
 */
export function maskLoss(predictions: readonly MaskPrediction[]): tf.Scalar {
  if (predictions.length === 0) return tf.scalar(0);
  const targets = predictions.map(({ maskLogits, targetMask }, layer) => {
    check(
      targetMask !== undefined,
      () => `maskLoss: layer ${layer} has no targetMask: run the model with training: true`,
    );
    check(
      tf.util.arraysEqual(maskLogits.shape, targetMask.shape),
      () =>
        `maskLoss: targetMask of layer ${layer} must be [${maskLogits.shape}], got [${targetMask.shape}]`,
    );
    const [n] = predictions[0].maskLogits.shape;
    check(
      maskLogits.shape[0] === n,
      () =>
        `maskLoss: layer ${layer} must have the batch of layer 0, ${n}, got ${maskLogits.shape[0]}`,
    );
    return targetMask;
  });
  return tf.tidy(() => {
    // Layer by layer: the gradient of a concatenation is a split, which costs more than all the rest.
    const sums = predictions.map(({ maskLogits }, i) => crossEntropySum(maskLogits, targets[i]));
    return tf.addN(sums).div<tf.Scalar>(predictions[0].maskLogits.shape[0] * predictions.length);
  });
}

/** Sum of softplus(z) - z * target; gradient (sigmoid(z) - target) * dy for z alone. */
function crossEntropySum(maskLogits: tf.Tensor2D, targetMask: tf.Tensor2D): tf.Scalar {
  const op = tf.customGrad((z, save) => {
    const logits = z as tf.Tensor2D;
    // The target too: its scope may end before the backward pass.
    (save as tf.GradSaveFunc)([logits, targetMask]);
    return {
      value: tf.softplus(logits).sub(logits.mul(targetMask)).sum<tf.Scalar>(),
      gradFunc: (dy, [savedLogits, savedTarget]) =>
        tf.sigmoid(savedLogits).sub(savedTarget).mul(dy),
    };
  });
  return op(maskLogits) as tf.Scalar;
}
