/** A convolution that computes, for each image, only the output channels its predictor expects to matter. */
import * as tf from '@tensorflow/tfjs';
import { DynamicLayer, type DynamicLayerConfig } from './dynamicLayer.js';
import { registerLayer } from './register.js';

type ConvolutionConfig = Omit<Parameters<typeof tf.layers.conv2d>[0], 'activation'>;

/** The arguments of `tf.layers.conv2d`, those of pruning, and `batchNormalization`. */
export type DynamicConv2dConfig = ConvolutionConfig & DynamicLayerConfig;

export class DynamicConv2D extends DynamicLayer {
  static readonly className = 'FtwtDynamicConv2D';

  constructor(config: DynamicConv2dConfig) {
    super(config, (args) => tf.layers.conv2d(args as Parameters<typeof tf.layers.conv2d>[0]));
  }
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
