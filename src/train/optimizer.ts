/** SGD with momentum over groups of parameters that have their own learning rate and weight decay. */
import * as tf from '@tensorflow/tfjs';
import { sgdMomentumUpdate } from '../ops/index.js';
import { checkRange, ranges } from './ranges.js';

export interface ParameterGroup {
  variables: readonly tf.Variable[];
  /** Added to the gradient as `weightDecay * variable`. Default 0. */
  weightDecay?: number;
  /** Whether variables of rank 1 (biases, batch norm's scale and shift) decay as well. Default true. */
  decayVectors?: boolean;
}

export interface OptimizerOptions {
  /** Default 0.9. */
  momentum?: number;
  nesterov?: boolean;
}

interface Parameter {
  variable: tf.Variable;
  velocity: tf.Variable; // shape of `variable`
  weightDecay: number;
}

/**
 * `velocity = momentum * velocity + gradient + weightDecay * variable`, then
 * `variable -= learningRate * velocity` (Nesterov: `... * (gradient + weightDecay * variable + momentum * velocity)`).
 * As `tf.train.momentum`, plus groups and weight decay.
 */
export class SgdMomentum<Group extends string> {
  private readonly groups: Map<Group, Parameter[]>;
  private readonly momentum: number;
  private readonly nesterov: boolean;

  /** @throws FtwtError INVALID_ARGUMENT */
  constructor(
    groups: Record<Group, ParameterGroup>,
    { momentum = 0.9, nesterov = false }: OptimizerOptions = {},
  ) {
    checkRange('SgdMomentum', 'momentum', momentum, ranges.momentum);
    const entries = Object.entries(groups) as [Group, ParameterGroup][];
    for (const [name, { weightDecay = 0 }] of entries) {
      checkRange('SgdMomentum', `weightDecay of ${name}`, weightDecay, ranges.weightDecay);
    }
    this.momentum = momentum;
    this.nesterov = nesterov;
    this.groups = new Map(
      entries.map(([name, { variables, weightDecay = 0, decayVectors = true }]) => [
        name,
        variables.map((variable) => ({
          variable,
          velocity: tf.tidy(() => tf.variable(tf.zerosLike(variable), false)),
          weightDecay: decayVectors || variable.rank > 1 ? weightDecay : 0,
        })),
      ]),
    );
  }

  /** The variables of some groups, for `tf.variableGrads`. */
  variables(groups: readonly Group[]): tf.Variable[] {
    return groups.flatMap((group) => this.groups.get(group)!.map(({ variable }) => variable));
  }

  /**
   * Updates every variable that has a gradient and whose group has a learning rate; the rest stays as it is.
   * @param gradients by variable name, as `tf.variableGrads` returns them; the caller disposes them
   */
  apply(gradients: tf.NamedTensorMap, learningRates: Partial<Record<Group, number>>): void {
    for (const [name, parameters] of this.groups) {
      const learningRate = learningRates[name];
      if (learningRate === undefined) continue;
      for (const parameter of parameters) {
        const gradient = gradients[parameter.variable.name];
        if (gradient !== undefined) this.update(parameter, gradient, learningRate);
      }
    }
  }

  /** The state to save: one velocity per variable, groups in the order given to the constructor. */
  velocities(): tf.Variable[] {
    return [...this.groups.values()].flatMap((group) => group.map(({ velocity }) => velocity));
  }

  /** Frees the velocities, not the variables. */
  dispose(): void {
    tf.dispose(this.velocities());
  }

  private update(
    { variable, velocity, weightDecay }: Parameter,
    gradient: tf.Tensor,
    learningRate: number,
  ): void {
    const settings = { learningRate, momentum: this.momentum, weightDecay };
    tf.tidy(() => {
      const plain = sgdMomentumUpdate<tf.Tensor>(variable, gradient, velocity, settings);
      // Nesterov's direction is what plain momentum computes when it starts from the new velocity.
      const { weight } = this.nesterov
        ? sgdMomentumUpdate<tf.Tensor>(variable, gradient, plain.velocity, settings)
        : plain;
      variable.assign(weight);
      velocity.assign(plain.velocity);
    });
  }
}
