/** A depthwise convolution that computes, for each image, only the channels its predictor expects to matter. */
import * as tf from '@tensorflow/tfjs';
import { DynamicLayer, type DynamicLayerConfig } from './dynamicLayer.js';
import { registerLayer } from './register.js';

type ConvolutionConfig = Omit<Parameters<typeof tf.layers.depthwiseConv2d>[0], 'activation'>;

/** The arguments of `tf.layers.depthwiseConv2d`, those of pruning, and `batchNormalization`. */
export type DynamicDepthwiseConv2dConfig = ConvolutionConfig & DynamicLayerConfig;

export class DynamicDepthwiseConv2D extends DynamicLayer {
  static readonly className = 'FtwtDynamicDepthwiseConv2D';

  constructor(config: DynamicDepthwiseConv2dConfig) {
    super(config, (args) =>
      tf.layers.depthwiseConv2d(args as Parameters<typeof tf.layers.depthwiseConv2d>[0]),
    );
  }
}

registerLayer(DynamicDepthwiseConv2D);

/**
 * depthwiseConv2d -> batch norm (optional) -> activation -> per-image channel mask.
 * @throws FtwtError INVALID_ARGUMENT for pruning options out of range
 */
export function dynamicDepthwiseConv2d(config: DynamicDepthwiseConv2dConfig): DynamicLayer {
  return new DynamicDepthwiseConv2D(config);
}
