/**
 * What the dynamic layers share: a convolution, optional batch norm, an activation, and a predictor that decides from
 * the layer's input which output channels are computed for each image.
 *
 *   maskLogits = maskPredictor(x)                        [N, C]; x without gradient unless 'joint'
 *   a          = activation(batchNorm(convolution(x)))   [N, H', W', C]
 *   y          = a * (maskLogits > 0)
 *   targetMask = massMask(channelSaliency(a), mass)      [N, C]; in training, while masks are recorded
 */
import * as tf from '@tensorflow/tfjs';
import type { Tensor1D, Tensor2D, Tensor4D } from '@tensorflow/tfjs';
import { check, FtwtError } from '../errors.js';
import { binarize, channelSaliency, maskPredictor, stopGradient } from '../ops/index.js';
import { BatchNormalization, type BatchNormalizationConfig } from './batchNormalization.js';
import {
  fullDynamicOptions,
  targetMaskOf,
  type DynamicOptions,
  type FullDynamicOptions,
} from './dynamicOptions.js';
import { addMaskRecord, isRecording } from './maskRecorder.js';
import { markPredictorWeight } from './predictorWeights.js';

type ActivationName = NonNullable<Parameters<typeof tf.layers.activation>[0]>['activation'];

/** What a dynamic layer takes beside the arguments of its convolution. */
export interface DynamicLayerConfig extends DynamicOptions {
  /** true or arguments for a batch norm between convolution and activation; default: none. */
  batchNormalization?: boolean | BatchNormalizationConfig | null;
  /** After batch norm, before masking; any name tf.layers.activation knows. Default 'linear'. */
  activation?: ActivationName | null;
}

type LayerArgs = ConstructorParameters<typeof tf.layers.Layer>[0];

export abstract class DynamicLayer extends tf.layers.Layer {
  /** The layer whose weights this one has; linear, and never applied on its own. */
  readonly convolution: tf.layers.Layer;
  readonly batchNormalization: BatchNormalization | undefined;
  readonly options: FullDynamicOptions;
  readonly activation: ActivationName;
  private readonly otherActivation: tf.layers.Layer | undefined;
  private predictorKernel!: tf.LayerVariable; // [cIn, C]
  private predictorBias!: tf.LayerVariable; // [C]

  constructor(
    config: DynamicLayerConfig,
    makeConvolution: (args: DynamicLayerConfig & { name: string }) => tf.layers.Layer,
  ) {
    super(config as LayerArgs);
    this.options = fullDynamicOptions(config, this.name);
    const { dataFormat } = config as { dataFormat?: string };
    check(
      dataFormat !== 'channelsFirst',
      () => `${this.name}: dataFormat must be channelsLast, got ${dataFormat}`,
    );
    this.activation = config.activation ?? 'linear';
    if (!['linear', 'relu', 'relu6'].includes(this.activation)) {
      this.otherActivation = activationLayer(this.activation, this.name);
    }
    const inner = { inputShape: undefined, batchInputShape: undefined, weights: undefined };
    const name = this.name;
    this.convolution = makeConvolution({ ...config, ...inner, name, activation: undefined });
    const { batchNormalization } = config;
    if (batchNormalization) {
      const args = batchNormalization === true ? {} : batchNormalization;
      this.batchNormalization = new BatchNormalization({ ...args, ...inner, name });
    }
  }

  override build(inputShape: tf.Shape | tf.Shape[]): void {
    const shape = inputShape as tf.Shape;
    const outputShape = this.computeOutputShape(shape);
    this.adopt(this.convolution, shape);
    if (this.batchNormalization !== undefined) this.adopt(this.batchNormalization, outputShape);
    const [cIn, cOut] = [shape[3]!, outputShape[3]!];
    // All channels start active (sigmoid(1) = 0.73), so training goes on from the network as it was; gradients to the
    // logits are far from saturated, and a single linear layer needs no random start.
    const { zeros, ones } = tf.initializers;
    this.predictorKernel = this.addWeight(
      'predictor_kernel',
      [cIn, cOut],
      'float32',
      zeros() as Initializer,
    );
    this.predictorBias = this.addWeight('predictor_bias', [cOut], 'float32', ones() as Initializer);
    [this.predictorKernel, this.predictorBias].forEach(markPredictorWeight);
    this.inputSpec = this.convolution.inputSpec;
    super.build(shape);
  }

  override computeOutputShape(inputShape: tf.Shape | tf.Shape[]): tf.Shape {
    return this.convolution.computeOutputShape(inputShape) as tf.Shape;
  }

  override call(inputs: tf.Tensor | tf.Tensor[], kwargs: { training?: boolean }): tf.Tensor {
    const x = (Array.isArray(inputs) ? inputs[0] : inputs) as Tensor4D;
    const training = kwargs.training === true;
    return tf.tidy(() => {
      const maskLogits = this.predict(x);
      const mask = binarize(maskLogits);
      const convolved =
        (training ? undefined : this.convolveActive(x, mask)) ??
        (this.convolution.call(x, {}) as Tensor4D);
      const a = this.normalizeAndActivate(convolved, training);
      if (training && isRecording()) {
        const targetMask = targetMaskOf(channelSaliency(a), this.options);
        addMaskRecord({ layer: this, maskLogits, mask, targetMask });
      } else {
        addMaskRecord({ layer: this, maskLogits, mask });
      }
      const [n, c] = mask.shape;
      return a.mul(mask.reshape([n, 1, 1, c]));
    });
  }

  override getConfig(): tf.serialization.ConfigDict {
    return {
      ...this.convolution.getConfig(),
      ...super.getConfig(),
      ...this.options,
      activation: this.activation,
      batchNormalization: this.batchNormalization?.getConfig() ?? null,
    };
  }

  override setFastWeightInitDuringBuild(value: boolean): void {
    super.setFastWeightInitDuringBuild(value);
    this.convolution.setFastWeightInitDuringBuild(value);
    this.batchNormalization?.setFastWeightInitDuringBuild(value);
  }

  /** The convolution without the channels that `mask` drops (their values do not matter), where that is faster. */
  protected convolveActive(_x: Tensor4D, _mask: Tensor2D): Tensor4D | undefined {
    return undefined;
  }

  private predict(x: Tensor4D): Tensor2D {
    const { mode, pooling, softmax } = this.options;
    const weights = this.predictorKernel.read() as Tensor2D;
    const bias = this.predictorBias.read() as Tensor1D;
    return maskPredictor(mode === 'joint' ? x : stopGradient(x), weights, bias, {
      pooling,
      softmax,
    });
  }

  private normalizeAndActivate(x: Tensor4D, training: boolean): Tensor4D {
    const norm = this.batchNormalization;
    if (this.otherActivation !== undefined) {
      const normalized = norm?.normalize(x, training, 'linear') ?? x;
      return this.otherActivation.call(normalized, {}) as Tensor4D;
    }
    const activation = this.activation as 'linear' | 'relu' | 'relu6';
    if (norm !== undefined) return norm.normalize(x, training, activation);
    if (activation === 'linear') return x;
    return activation === 'relu' ? tf.relu(x) : tf.relu6(x);
  }

  /** Builds an inner layer; its weights become this layer's. */
  private adopt(layer: tf.layers.Layer, inputShape: tf.Shape): void {
    layer.build(inputShape);
    this._trainableWeights.push(...layer.trainableWeights);
    // Only batch norm has any: the running statistics.
    if (layer.nonTrainableWeights.length > 0) this.nonTrainableWeights = layer.nonTrainableWeights;
    this.addLoss(layer.losses);
  }
}

type Initializer = Parameters<tf.layers.Layer['addWeight']>[3];

function activationLayer(activation: ActivationName, owner: string): tf.layers.Layer {
  try {
    return tf.layers.activation({ activation, name: owner });
  } catch (cause) {
    throw new FtwtError(
      'INVALID_ARGUMENT',
      `${owner}: unknown activation ${JSON.stringify(activation)}`,
      { cause },
    );
  }
}
