/**
 * tfjs's BatchNormalization with a fused training step.
 *
 * Class name, config and weights are those of tfjs, so that saved models load with and without this package. Importing
 * the package makes models that are loaded later train through the fused op as well.
 */
import * as tf from '@tensorflow/tfjs';
import { batchNormTraining, type BatchNormTrainingOptions } from '../ops/index.js';
import { registerLayer } from './register.js';

/** What the fused op can apply. */
export type FusedActivation = NonNullable<BatchNormTrainingOptions['activation']>;

/** The arguments of `tf.layers.batchNormalization`. */
export type BatchNormalizationConfig = NonNullable<
  Parameters<typeof tf.layers.batchNormalization>[0]
>;

interface StockBatchNormalization extends tf.layers.Layer {
  readonly axis: number;
  readonly momentum: number;
  readonly epsilon: number;
  readonly gamma?: tf.LayerVariable;
  readonly beta?: tf.LayerVariable;
  readonly movingMean: tf.LayerVariable;
  readonly movingVariance: tf.LayerVariable;
}

// tfjs does not export its layer classes; an instance has them. A name keeps the counter of automatic names untouched.
const Stock = tf.layers.batchNormalization({ name: 'stock' }).constructor as new (
  config: BatchNormalizationConfig,
) => StockBatchNormalization;

export class BatchNormalization extends Stock {
  static readonly className = 'BatchNormalization';

  override call(
    inputs: tf.Tensor | tf.Tensor[],
    kwargs: { training?: boolean },
  ): tf.Tensor | tf.Tensor[] {
    const x = Array.isArray(inputs) ? inputs[0] : inputs;
    const lastAxis = this.axis === -1 || this.axis === x.rank - 1;
    if (!lastAxis || x.rank < 2) return super.call(inputs, kwargs);
    return this.normalize(x, kwargs.training === true, 'linear');
  }

  /**
   * Normalises over all axes but the last, then applies `activation`. In training by the statistics of the batch, which
   * also move the running statistics (biased variance, as tfjs does it).
   * @param x [..., C]
   */
  normalize<T extends tf.Tensor>(x: T, training: boolean, activation: FusedActivation): T {
    return tf.tidy(() => {
      const gamma = this.gamma?.read() as tf.Tensor1D | undefined;
      const beta = this.beta?.read() as tf.Tensor1D | undefined;
      if (!training) {
        const mean = this.movingMean.read() as tf.Tensor1D;
        const variance = this.movingVariance.read() as tf.Tensor1D;
        const y = tf.batchNorm(x, mean, variance, beta, gamma, this.epsilon);
        if (activation === 'linear') return y as T;
        return (activation === 'relu' ? tf.relu(y) : tf.relu6(y)) as T;
      }
      const channels = x.shape[x.rank - 1];
      const flat = x.rank === 4 ? x : x.reshape([-1, 1, 1, channels]);
      const { y, mean, variance } = batchNormTraining(flat as tf.Tensor4D, gamma, beta, {
        epsilon: this.epsilon,
        activation,
      });
      this.move(this.movingMean, mean);
      this.move(this.movingVariance, variance);
      return (x.rank === 4 ? y : y.reshape(x.shape)) as unknown as T;
    });
  }

  private move(running: tf.LayerVariable, batch: tf.Tensor): void {
    tf.tidy(() => {
      const value = running.read();
      running.write(value.sub(value.sub(batch).mul(1 - this.momentum)));
    });
  }
}

registerLayer(BatchNormalization);

/** As `tf.layers.batchNormalization` (same class name, config and weights), fused in training. */
export function batchNormalization(config: BatchNormalizationConfig = {}): tf.layers.Layer {
  return new BatchNormalization(config);
}
