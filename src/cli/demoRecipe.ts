/** The hyper-parameters of `ftwt demo`, all in one place: tuned for Fashion-MNIST in minutes on two cores. */
import type { AugmentOptions } from '../data/index.js';
import type { VggSmallOptions } from '../models/index.js';

export const demoRecipe = {
  /** Of `vggSmall`. */
  network: { widths: [32, 'M', 48, 48, 'M', 96, 96], head: 'average' } satisfies VggSmallOptions,
  augment: { padCrop: 0, flip: false } satisfies AugmentOptions,
  batchSize: 128,
  seed: 1,
  momentum: 0.9,
  nesterov: true,
  labelSmoothing: 0,
  /** One cycle each: linear up to `learningRate`, linear down to 0. */
  dense: { epochs: 4, learningRate: 0.1, weightDecay: 5e-4 },
  /**
   * The published predictor rate, 0.1, is for 100 epochs. Softmax features have a squared norm of about 1 / channels,
   * so in one epoch the weights (not only the biases) learn with a rate in the order of the channels.
   *
   * Without weight decay: it shrinks the activations under the predictors, so that they let fewer channels pass than
   * was estimated.
   */
  dynamic: {
    epochs: 3,
    learningRate: 0.02,
    predictorLearningRate: 30,
    cooldown: 0.12,
    weightDecay: 0,
  },
  mode: 'decoupled',
  predictor: { pooling: 'max', softmax: true },
  /** Skippable FLOPs reduction for which the mass is chosen. */
  reduction: 0.5,
  /** Training images from which the reduction is estimated. */
  calibrationImages: 512,
  /** Both networks are timed with batches of so many images, each for so many seconds. */
  speed: { batches: [1, 32], seconds: 0.8 },
  /** Images at either end of the report's list of cheap and expensive ones. */
  samplesPerEnd: 8,
} as const;
