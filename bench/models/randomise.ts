/** Statistics of batch norms, weights of predictors: random, the same in every process. */
import * as tf from '@tensorflow/tfjs';

type Interval = [number, number];

/** Of what is added to a residual sum, which would grow from block to block. */
const residualGamma: Interval = [0.2, 0.4];

/** Makes every batch norm more than an identity. Convolutions keep their initial weights. */
export function randomiseNorms(model: tf.LayersModel): tf.LayersModel {
  return randomise(model, (name, layer) => {
    if (name === 'gamma') return /conv2/.test(layer) ? residualGamma : [0.7, 1.3];
    if (name === 'moving_variance') return [0.6, 1.6];
    return name === 'beta' || name === 'moving_mean' ? [-0.3, 0.3] : undefined;
  });
}

/** Makes masks vary from image to image. */
export function randomisePredictors(model: tf.LayersModel): tf.LayersModel {
  return randomise(model, (name) => {
    if (name === 'predictor_kernel') return [-8, 8];
    return name === 'predictor_bias' ? [-0.3, 0.3] : undefined;
  });
}

function randomise(
  model: tf.LayersModel,
  intervalOf: (name: string, layer: string) => Interval | undefined,
): tf.LayersModel {
  tf.tidy(() =>
    model.weights.forEach((weight, i) => {
      const [layer, name] = weight.originalName.split(/\/(?=[^/]*$)/);
      const interval = intervalOf(name, layer);
      if (interval === undefined) return;
      weight.write(tf.randomUniform(weight.shape as number[], ...interval, 'float32', i + 1));
    }),
  );
  return model;
}
