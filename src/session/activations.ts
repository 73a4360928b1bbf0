/** Activations by the names that tf.layers.activation knows, as what the nodes of a plan can apply. */
import type * as tf from '@tensorflow/tfjs';
import { refuse } from './errors.js';
import type { PlanActivation, PlanFunction } from './plan.js';

/** One step of an activation: applied in this order. */
export interface Steps {
  /** x -> x * scale + shift. */
  scale?: { scale: number; shift: number };
  function?: PlanFunction;
  activation?: PlanActivation;
  /** Over the channels. */
  softmax?: true;
}

export function unary(op: PlanFunction['op'], alpha = 0, beta = 0): PlanFunction {
  return { op, alpha, beta };
}

const steps: Record<string, Steps> = {
  linear: {},
  relu: { activation: 'relu' },
  relu6: { activation: 'relu6' },
  elu: { function: unary('Elu') },
  sigmoid: { function: unary('Sigmoid') },
  hardSigmoid: { scale: { scale: 0.2, shift: 0.5 }, function: unary('ClipByValue', 0, 1) },
  softplus: { function: unary('Softplus') },
  tanh: { function: unary('Tanh') },
  softmax: { softmax: true },
};

/** @throws FtwtError INVALID_ARGUMENT for activations that the executors cannot compute */
export function stepsOf(layer: tf.layers.Layer, name: string): Steps {
  if (!Object.hasOwn(steps, name)) {
    const known = Object.keys(steps).join(', ');
    refuse(layer, `activation '${name}' is not supported; expected one of ${known}`);
  }
  return steps[name];
}

/** True where f(0) = 0: such a function may be applied to masked channels before or after the mask. */
export function leavesZero({ op, alpha, beta }: PlanFunction): boolean {
  if (op === 'ClipByValue') return alpha <= 0 && beta >= 0;
  return op === 'LeakyRelu' || op === 'Elu' || op === 'Tanh';
}
