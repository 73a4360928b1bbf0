/** One training step: forward, both losses, gradients, update. Nothing is read back from the device here. */
import * as tf from '@tensorflow/tfjs';
import { recordMasks, type MaskRecord } from '../layers/maskRecorder.js';
import { isPredictorWeight } from '../layers/predictorWeights.js';
import type { LayerMasks, StepMetrics } from './history.js';
import { crossEntropy, maskLoss } from './losses.js';
import { SgdMomentum } from './optimizer.js';

export interface StepOptions {
  momentum: number;
  nesterov: boolean;
  /** Of the backbone; predictors never decay. */
  weightDecay: number;
  decayNorms: boolean;
  labelSmoothing: number;
}

export interface StepSettings {
  learningRate: number;
  /** Missing: the predictors are frozen and the mask loss is measured, not minimised. */
  predictors?: { learningRate: number; maskWeight: number };
}

interface MaskedLayer {
  name: string;
  channels: number;
}

/** loss, taskLoss, maskLoss, correct. */
const scalarCount = 4;

/** Trains one model; owns the optimizer's state. */
export class TrainingStep {
  readonly optimizer: SgdMomentum<'backbone' | 'predictors'>;
  private maskedLayers: MaskedLayer[] = [];

  constructor(
    private readonly model: tf.LayersModel,
    private readonly options: StepOptions,
  ) {
    const trainable = model.trainableWeights.map((weight) => weight.read() as tf.Variable);
    this.optimizer = new SgdMomentum(
      {
        backbone: {
          variables: trainable.filter((variable) => !isPredictorWeight(variable)),
          weightDecay: options.weightDecay,
          decayVectors: options.decayNorms,
        },
        predictors: { variables: trainable.filter(isPredictorWeight) },
      },
      options,
    );
  }

  /**
   * @param x [N, h, w, c]
   * @param labels [N] int32
   * @returns the step's metrics on the device, for `readMetrics`; the caller disposes them
   */
  run(x: tf.Tensor4D, labels: tf.Tensor1D, settings: StepSettings): tf.Tensor1D {
    const { learningRate, predictors } = settings;
    const groups = predictors ? (['backbone', 'predictors'] as const) : (['backbone'] as const);
    return tf.tidy(() => {
      let metrics!: tf.Tensor1D;
      const { grads } = tf.variableGrads(() => {
        const forward = this.forward(x, labels, predictors?.maskWeight ?? 0);
        // Kept: the tape's scope frees everything but the loss.
        metrics = tf.keep(forward.metrics);
        return forward.loss;
      }, this.optimizer.variables(groups));
      this.optimizer.apply(grads, {
        backbone: learningRate,
        predictors: predictors?.learningRate,
      });
      return metrics;
    });
  }

  /** Waits for the metrics of some steps: the only device-to-host copy of training. */
  async readMetrics(
    steps: readonly { metrics: tf.Tensor1D; images: number }[],
  ): Promise<StepMetrics[]> {
    const all = tf.stack(steps.map(({ metrics }) => metrics));
    try {
      const values = (await all.data()) as Float32Array;
      const width = values.length / steps.length;
      return steps.map(({ images }, i) =>
        this.parseMetrics(values.subarray(i * width, (i + 1) * width), images),
      );
    } finally {
      all.dispose();
    }
  }

  dispose(): void {
    this.optimizer.dispose();
  }

  private forward(
    x: tf.Tensor4D,
    labels: tf.Tensor1D,
    maskWeight: number,
  ): { loss: tf.Scalar; metrics: tf.Tensor1D } {
    const { result: logits, records } = recordMasks(
      () => this.model.apply(x, { training: true }) as tf.Tensor2D,
    );
    const taskLoss = crossEntropy(logits, labels, this.options);
    const predictionLoss = maskLoss(records);
    let loss = taskLoss;
    if (maskWeight > 0 && records.length > 0) loss = loss.add(predictionLoss.mul(maskWeight));
    for (const regularisation of this.model.calculateLosses()) loss = loss.add(regularisation);
    // As floats, which devices compare and add.
    const correct = logits.argMax(1).toFloat().equal(labels.toFloat()).toFloat().sum();
    return {
      loss,
      metrics: tf.concat1d([
        tf.stack([loss, taskLoss, predictionLoss, correct]) as tf.Tensor1D,
        ...this.maskMetrics(records),
      ]),
    };
  }

  /** Two numbers per channel; their means over a layer's channels are taken on the host. */
  private maskMetrics(records: readonly MaskRecord[]): tf.Tensor1D[] {
    this.maskedLayers = records.map(({ layer, mask }) => ({
      name: layer.name,
      channels: mask.shape[1],
    }));
    if (records.length === 0) return [];
    const masks = tf.concat2d(
      records.map(({ mask }) => mask),
      1,
    );
    const targets = tf.concat2d(
      records.map(({ targetMask }) => targetMask!),
      1,
    );
    return [masks.mean<tf.Tensor1D>(0), masks.equal(targets).toFloat().mean<tf.Tensor1D>(0)];
  }

  private parseMetrics(values: Float32Array, images: number): StepMetrics {
    const [loss, taskLoss, maskLossValue, correct] = values;
    const totalChannels = (values.length - scalarCount) / 2;
    let offset = scalarCount;
    const layers: LayerMasks[] = this.maskedLayers.map(({ name, channels }) => {
      const keepRatio = mean(values.subarray(offset, offset + channels));
      const agreement = values.subarray(offset + totalChannels, offset + totalChannels + channels);
      offset += channels;
      return { name, channels, keepRatio, maskAccuracy: mean(agreement) };
    });
    return { images, loss, taskLoss, maskLoss: maskLossValue, correct, layers };
  }
}

function mean(values: Float32Array): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
