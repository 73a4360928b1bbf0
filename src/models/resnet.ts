/** CIFAR ResNets: three stages of basic blocks with 16, 32 and 64 channels. */
import * as tf from '@tensorflow/tfjs';
import { check } from '../errors.js';
import { ChannelPadShortcut } from './channelPadShortcut.js';
import { apply, checkedOptions, type LayerFactory, type ModelOptions } from './parts.js';

export interface ResnetOptions extends ModelOptions {
  /** 6n+2: 20, 32, 44, 56, 110 ... */
  depth: number;
}

/**
 * ResNet of 6n+2 layers (He et al. 2016, section 4.2, parameter-free shortcuts "A").
 * Depth 56 for 32x32x3 and 10 classes: 125,485,760 MACs and 853,018 parameters.
 * @returns a model from images [N, h, w, c] (default 32x32x3) to logits [N, classes]
 * @throws FtwtError INVALID_ARGUMENT
 */
export function resnet(options: ResnetOptions): tf.LayersModel {
  const { inputShape, classes, factory } = checkedOptions('resnet', options, [32, 32, 3]);
  const { depth } = options;
  check(
    Number.isInteger(depth) && depth >= 8 && (depth - 2) % 6 === 0,
    () => `resnet: depth must be 6n+2 (8, 14, 20, ... 56, 110), got ${depth}`,
  );
  const blocks = (depth - 2) / 6;
  const input = tf.input({ shape: inputShape });
  let x = factory.convolution(input, { name: 'conv', filters: 16, kernelSize: 3 });
  [16, 32, 64].forEach((filters, stage) => {
    for (let block = 0; block < blocks; block++) {
      const strides = stage > 0 && block === 0 ? 2 : 1;
      x = basicBlock(x, factory, `stage${stage + 1}_block${block + 1}`, filters, strides);
    }
  });
  const pool = tf.layers.globalAveragePooling2d({ name: 'pool' } as Parameters<
    typeof tf.layers.globalAveragePooling2d
  >[0]);
  const logits = factory.classifier(apply(pool, x), classes);
  return tf.model({ inputs: input, outputs: logits, name: `resnet${depth}` });
}

function basicBlock(
  x: tf.SymbolicTensor,
  factory: LayerFactory,
  name: string,
  filters: number,
  strides: number,
): tf.SymbolicTensor {
  const first = factory.convolution(x, {
    name: `${name}_conv1`,
    filters,
    kernelSize: 3,
    strides,
  });
  const second = factory.convolution(first, {
    name: `${name}_conv2`,
    filters,
    kernelSize: 3,
    relu: false,
  });
  const shortcut =
    strides === 1
      ? x
      : apply(new ChannelPadShortcut({ name: `${name}_shortcut`, filters, strides }), x);
  const sum = apply(tf.layers.add({ name: `${name}_add` }), [second, shortcut]);
  return apply(tf.layers.reLU({ name: `${name}_relu` }), sum);
}
