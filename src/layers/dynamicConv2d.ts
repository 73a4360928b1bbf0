/** A convolution that computes, for each image, only the output channels its predictor expects to matter. */
import * as tf from '@tensorflow/tfjs';
import type { Tensor2D, Tensor4D } from '@tensorflow/tfjs';
import { channelSaliency, channelSparseConv2d, stopGradient } from '../ops/index.js';
import { skipsChannels } from '../ops/channelSparseConv2d.js';
import { DynamicLayer, type DynamicLayerConfig } from './dynamicLayer.js';
import { registerLayer } from './register.js';

type ConvolutionConfig = Omit<Parameters<typeof tf.layers.conv2d>[0], 'activation'>;

/** The arguments of `tf.layers.conv2d`, those of pruning, and `batchNormalization`. */
export type DynamicConv2dConfig = ConvolutionConfig & DynamicLayerConfig;

/** Below, skipping half of the channels of a batch took longer than the dense kernel (28x28 to 2x2, 16 to 512 channels). */
const worthSkipping = { pixels: 64, channels: 32 };

export class DynamicConv2D extends DynamicLayer {
  static readonly className = 'FtwtDynamicConv2D';

  constructor(config: DynamicConv2dConfig) {
    super(config, (args) => tf.layers.conv2d(args as Parameters<typeof tf.layers.conv2d>[0]));
  }

  protected override convolveActive(x: Tensor4D, mask: Tensor2D): Tensor4D | undefined {
    if (!skipsChannels()) return undefined;
    const [kernel, bias] = this.convolution.weights.map((weight) => weight.read());
    const [, h, w, cOut] = this.computeOutputShape(x.shape) as number[];
    const { pixels, channels } = worthSkipping;
    if (h * w < pixels || cOut < channels || x.shape[3] < channels) return undefined;
    const { strides, padding, dilationRate } = this.convolution as unknown as ConvolutionSettings;
    const y = channelSparseConv2d(x, kernel as Tensor4D, {
      strides,
      pad: padding === 'same' ? 'same' : 'valid',
      dilations: dilationRate,
      // Zero whatever made them so, the mask of a layer before or of one before a pooling.
      inputMask: tf.cast(tf.notEqual(channelSaliency(stopGradient(x)), 0), 'float32') as Tensor2D,
      outputMask: mask,
    });
    return bias === undefined ? y : y.add<Tensor4D>(bias);
  }
}

/** What tf.layers.conv2d keeps of its arguments. */
interface ConvolutionSettings {
  strides: [number, number];
  padding: string;
  dilationRate: [number, number];
}

registerLayer(DynamicConv2D);

/**
 * conv2d -> batch norm (optional) -> activation -> per-image channel mask (FTWT, section 3).
 *
 * In training the target masks of `recordMasks` say which channels were salient; in inference masked channels are zero.
 * @example dynamicConv2d({ filters: 64, kernelSize: 3, padding: 'same', batchNormalization: true, activation: 'relu', mass: 0.9 })
 * @throws FtwtError INVALID_ARGUMENT for pruning options out of range
 */
export function dynamicConv2d(config: DynamicConv2dConfig): DynamicLayer {
  return new DynamicConv2D(config);
}
