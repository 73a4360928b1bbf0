import * as tf from '@tensorflow/tfjs';
import type { Tensor } from '@tensorflow/tfjs';
import { check } from '../errors.js';
import { registerComposite, runOp } from './runOp.js';

export interface SgdMomentumUpdateOptions {
  learningRate: number;
  /** Share of the velocity that stays. Default 0. */
  momentum?: number;
  /** L2 penalty, added to the gradient as weightDecay * weight. Default 0. */
  weightDecay?: number;
}

interface Inputs {
  weight: Tensor;
  gradient: Tensor;
  velocity: Tensor;
}

/**
 * One step of stochastic gradient descent with momentum, in one pass over memory:
 *
 *     velocity' = momentum * velocity + gradient + weightDecay * weight
 *     weight'   = weight - learningRate * velocity'
 *
 * Source: the update of torch.optim.SGD without dampening. Not differentiable.
 * @param weight float32 tensor of any shape; so are `gradient` and `velocity`
 * @returns the new weight and velocity; the arguments are left as they are
 * @throws FtwtError INVALID_ARGUMENT where shapes or types differ or an option is not a finite number
 */
export function sgdMomentumUpdate<T extends Tensor>(
  weight: T,
  gradient: Tensor,
  velocity: Tensor,
  { learningRate, momentum = 0, weightDecay = 0 }: SgdMomentumUpdateOptions,
): { weight: T; velocity: T } {
  const op = 'sgdMomentumUpdate';
  for (const [name, tensor] of Object.entries({ weight, gradient, velocity })) {
    check(
      tensor instanceof tf.Tensor && !tensor.isDisposed && tensor.dtype === 'float32',
      () => `${op}: ${name} must be a live float32 tensor`,
    );
    check(
      tf.util.arraysEqual(tensor.shape, weight.shape),
      () => `${op}: ${name} must be [${weight.shape}] like weight, got [${tensor.shape}]`,
    );
  }
  for (const [name, value] of Object.entries({ learningRate, momentum, weightDecay })) {
    check(Number.isFinite(value), () => `${op}: ${name} must be a finite number, got ${value}`);
  }
  const [newWeight, newVelocity] = tf.tidy(() =>
    runOp<Tensor[]>(
      'SgdMomentum',
      { weight, gradient, velocity },
      { learningRate, momentum, weightDecay },
    ),
  );
  return { weight: newWeight as T, velocity: newVelocity as T };
}

registerComposite<Inputs, Required<SgdMomentumUpdateOptions>>(
  'SgdMomentum',
  ({ weight, gradient, velocity }, { learningRate, momentum, weightDecay }) => {
    const decayed = tf.add(gradient, tf.mul(weight, weightDecay));
    const newVelocity = tf.add(tf.mul(velocity, momentum), decayed);
    return [tf.sub(weight, tf.mul(newVelocity, learningRate)), newVelocity];
  },
);
