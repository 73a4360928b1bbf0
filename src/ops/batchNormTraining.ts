import * as tf from '@tensorflow/tfjs';
import type { NamedAttrMap, Tensor, Tensor1D, Tensor4D } from '@tensorflow/tfjs';
import { check } from '../errors.js';
import { checkOneOf, checkShape, checkTensor } from './checks.js';
import { registerComposite, runOp } from './runOp.js';

export interface BatchNormTrainingOptions {
  /** Added to the variance. Default 1e-3, tfjs's default. */
  epsilon?: number;
  /** Applied to the result. Default 'linear'. */
  activation?: 'linear' | 'relu' | 'relu6';
}

export interface BatchNormTrainingResult {
  /** [N, H, W, C] */
  y: Tensor4D;
  /** [C]; a constant for the backward pass. */
  mean: Tensor1D;
  /** [C], biased (divided by N*H*W); a constant for the backward pass. */
  variance: Tensor1D;
}

type Attrs = Required<BatchNormTrainingOptions>;

/**
 * Batch normalisation with the batch's own statistics, and an activation:
 * y = activation((x - mean) * gamma / sqrt(variance + epsilon) + beta), with mean and variance over N, H and W.
 * One op where tfjs runs a dozen; the gradients of x, gamma and beta go through the statistics.
 *
 * Source: Ioffe and Szegedy (arXiv 1502.03167), algorithm 1.
 * @param x [N, H, W, C]
 * @param gamma [C]; 1 if absent
 * @param beta [C]; 0 if absent
 * @throws FtwtError INVALID_ARGUMENT where shapes or types do not fit, or any size of x is 0
 */
export function batchNormTraining(
  x: Tensor4D,
  gamma?: Tensor1D,
  beta?: Tensor1D,
  { epsilon = 1e-3, activation = 'linear' }: BatchNormTrainingOptions = {},
): BatchNormTrainingResult {
  const op = 'batchNormTraining';
  checkTensor(op, 'x', x, '[N, H, W, C]');
  check(x.shape[0] >= 1, () => `${op}: x must hold at least one sample, got [${x.shape}]`);
  const c: [number] = [x.shape[3]];
  for (const [name, tensor] of Object.entries({ gamma, beta })) {
    if (tensor == null) continue;
    checkTensor(op, name, tensor, '[C]');
    checkShape(op, name, tensor, '[C]', c);
  }
  check(
    Number.isFinite(epsilon) && epsilon >= 0,
    () => `${op}: epsilon must be a finite number >= 0, got ${epsilon}`,
  );
  checkOneOf(op, 'activation', activation, ['linear', 'relu', 'relu6']);
  return tf.tidy(op, () => {
    const inputs = { x, gamma: gamma ?? tf.ones(c), beta: beta ?? tf.zeros(c) };
    const [y, mean, variance] = runOp<Tensor[]>('BatchNormTraining', inputs, {
      epsilon,
      activation,
    }) as [Tensor4D, Tensor1D, Tensor1D];
    return { y, mean, variance };
  });
}

const overRows = [0, 1, 2];

registerComposite<{ x: Tensor4D; gamma: Tensor1D; beta: Tensor1D }, Attrs>(
  'BatchNormTraining',
  ({ x, gamma, beta }, { epsilon, activation }) => {
    const { mean, variance } = tf.moments(x, overRows) as { mean: Tensor1D; variance: Tensor1D };
    const z = tf.batchNorm4d(x, mean, variance, beta, gamma, epsilon);
    const y = activation === 'linear' ? z : activation === 'relu' ? tf.relu(z) : tf.relu6(z);
    return [y, mean, variance];
  },
);

interface GradInputs {
  dy: Tensor4D;
  x: Tensor4D;
  gamma: Tensor1D;
  beta: Tensor1D;
  mean: Tensor1D;
  variance: Tensor1D;
}

registerComposite<GradInputs, Attrs>(
  'BatchNormTrainingGrad',
  ({ dy, x, gamma, beta, mean, variance }, { epsilon, activation }) => {
    const inverse = tf.rsqrt(tf.add(variance, epsilon));
    const normalised = tf.mul(tf.sub(x, mean), inverse);
    const z = tf.add(tf.mul(normalised, gamma), beta);
    // relu6'(6) = 1, as in tfjs
    const passes =
      activation === 'relu6'
        ? tf.logicalAnd(tf.greater(z, 0), tf.lessEqual(z, 6))
        : tf.greater(z, 0);
    const dz = activation === 'linear' ? dy : tf.mul(dy, tf.cast(passes, 'float32'));
    const dBeta = tf.sum(dz, overRows);
    const dGamma = tf.sum(tf.mul(dz, normalised), overRows);
    const rows = x.size / gamma.size;
    const centred = tf.sub(dz, tf.div(tf.add(dBeta, tf.mul(normalised, dGamma)), rows));
    return [tf.mul(tf.mul(centred, inverse), gamma), dGamma, dBeta];
  },
);

tf.registerGradient({
  kernelName: 'BatchNormTraining',
  inputsToSave: ['x', 'gamma', 'beta'],
  outputsToSave: [false, true, true],
  gradFunc: (dys, saved, attrs: NamedAttrMap) => {
    const dy = (dys as Tensor[])[0];
    const [x, gamma, beta, mean, variance] = saved;
    const [dx, dGamma, dBeta] = runOp<Tensor[]>(
      'BatchNormTrainingGrad',
      { dy, x, gamma, beta, mean, variance },
      attrs,
    );
    return { x: () => dx, gamma: () => dGamma, beta: () => dBeta };
  },
});
