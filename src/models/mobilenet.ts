/** MobileNetV1: depthwise separable convolutions. */
import * as tf from '@tensorflow/tfjs';
import { check } from '../errors.js';
import { apply, checkedOptions, type ModelOptions } from './parts.js';

export interface MobilenetV1Options extends ModelOptions {
  /** Width multiplier in (0, 4]; default 1. Channels are rounded down, at least 1. */
  alpha?: number;
}

/** [channels, strides] of the pointwise and the depthwise half of each block. */
const blocks: [number, number][] = [
  [64, 1],
  [128, 2],
  [128, 1],
  [256, 2],
  [256, 1],
  [512, 2],
  [512, 1],
  [512, 1],
  [512, 1],
  [512, 1],
  [512, 1],
  [1024, 2],
  [1024, 1],
];

/** Images up to this size keep their resolution in the first layer, as in the paper's CIFAR experiments. */
const largestSmallImage = 64;

/**
 * MobileNetV1 (Howard et al. 2017). The first layer has stride 1 for images up to 64x64 and stride 2 above.
 * For 32x32x3 and 10 classes: 46,355,456 MACs and 3,217,226 parameters.
 * @returns a model from images [N, h, w, c] (default 32x32x3) to logits [N, classes]
 * @throws FtwtError INVALID_ARGUMENT
 */
export function mobilenetV1(options: MobilenetV1Options = {}): tf.LayersModel {
  const { inputShape, classes, factory } = checkedOptions('mobilenetV1', options, [32, 32, 3]);
  const { alpha = 1 } = options;
  check(alpha > 0 && alpha <= 4, () => `mobilenetV1: alpha must be in (0, 4], got ${alpha}`);
  const width = (channels: number) => Math.max(1, Math.floor(channels * alpha));
  const input = tf.input({ shape: inputShape });
  const strides = Math.max(inputShape[0], inputShape[1]) > largestSmallImage ? 2 : 1;
  let x = factory.convolution(input, { name: 'conv', filters: width(32), kernelSize: 3, strides });
  blocks.forEach(([channels, blockStrides], index) => {
    x = factory.depthwise(x, `block${index + 1}_depthwise`, blockStrides);
    const name = `block${index + 1}_pointwise`;
    x = factory.convolution(x, { name, filters: width(channels), kernelSize: 1 });
  });
  const pool = tf.layers.globalAveragePooling2d({ name: 'pool' } as Parameters<
    typeof tf.layers.globalAveragePooling2d
  >[0]);
  const logits = factory.classifier(apply(pool, x), classes);
  return tf.model({ inputs: input, outputs: logits, name: 'mobilenetV1' });
}
