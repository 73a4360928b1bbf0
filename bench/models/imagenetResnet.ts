/** ResNets for ImageNet (He et al. 2016, table 1): basic blocks, 1x1 projections where the shape changes. */
import * as tf from '@tensorflow/tfjs';
import {
  apply,
  checkedOptions,
  type LayerFactory,
  type ModelOptions,
} from '../../src/models/parts.js';

const depths = {
  18: [2, 2, 2, 2],
  34: [3, 4, 6, 3],
} as const;

export interface ImagenetResnetOptions extends ModelOptions {
  depth: keyof typeof depths;
}

/**
 * Stem of 7x7 and a max pool of 3x3, both of stride 2, then four stages of 64, 128, 256 and 512 channels.
 * @returns a model from images [N, h, w, c] (default 224x224x3) to logits [N, classes]
 */
export function imagenetResnet(options: ImagenetResnetOptions): tf.LayersModel {
  const { inputShape, classes, factory } = checkedOptions('imagenetResnet', options, [224, 224, 3]);
  const input = tf.input({ shape: inputShape });
  const stem = { name: 'conv', filters: 64, kernelSize: 7, strides: 2 };
  let x = factory.convolution(input, stem);
  x = apply(tf.layers.maxPooling2d({ name: 'pool1', poolSize: 3, strides: 2, padding: 'same' }), x);
  depths[options.depth].forEach((blocks, stage) => {
    for (let block = 0; block < blocks; block++) {
      const strides = stage > 0 && block === 0 ? 2 : 1;
      x = basicBlock(x, factory, `stage${stage + 1}_block${block + 1}`, 64 << stage, strides);
    }
  });
  const pool = tf.layers.globalAveragePooling2d({
    name: 'pool',
    dataFormat: 'channelsLast',
  });
  const logits = factory.classifier(apply(pool, x), classes);
  return tf.model({ inputs: input, outputs: logits, name: `resnet${options.depth}` });
}

function basicBlock(
  x: tf.SymbolicTensor,
  factory: LayerFactory,
  name: string,
  filters: number,
  strides: number,
): tf.SymbolicTensor {
  const half = (
    input: tf.SymbolicTensor,
    part: number,
    rest: { strides?: number; relu?: boolean },
  ) => factory.convolution(input, { name: `${name}_conv${part}`, filters, kernelSize: 3, ...rest });
  const second = half(half(x, 1, { strides }), 2, { relu: false });
  const projection = { name: `${name}_projection`, filters, kernelSize: 1, strides, relu: false };
  const shortcut = strides === 1 ? x : factory.convolution(x, projection);
  const sum = apply(tf.layers.add({ name: `${name}_add` }), [second, shortcut]);
  return apply(tf.layers.reLU({ name: `${name}_relu` }), sum);
}
