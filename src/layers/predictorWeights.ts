/** Which weights belong to mask predictors: their own learning rate, no weight decay, frozen after the cooldown. */
import type * as tf from '@tensorflow/tfjs';

const predictorWeights = new WeakSet<object>();

/** Called when a dynamic layer is built. */
export function markPredictorWeight(weight: tf.LayerVariable): void {
  predictorWeights.add(weight);
  predictorWeights.add(weight.read());
}

/** Whether a weight of a layer, or the tf.Variable inside it, is one of a mask predictor. */
export function isPredictorWeight(variable: tf.LayerVariable | tf.Variable): boolean {
  return predictorWeights.has(variable);
}
