/** VGG networks with batch normalisation, for small images. */
import * as tf from '@tensorflow/tfjs';
import { check } from '../errors.js';
import {
  apply,
  checkedOptions,
  isPositive,
  type LayerFactory,
  type ModelOptions,
} from './parts.js';

/** Channels of 3x3 convolutions, and 'M' for 2x2 max pooling with stride 2. */
export type VggWidths = (number | 'M')[];

const vgg16Widths: VggWidths = [
  ...[64, 64, 'M', 128, 128, 'M', 256, 256, 256, 'M'],
  ...[512, 512, 512, 'M', 512, 512, 512, 'M'],
] as VggWidths;

/**
 * VGG16-BN with one dense layer, as in the paper's CIFAR experiments (Simonyan and Zisserman 2015, configuration D;
 * convolutions with bias). For 32x32x3 and 10 classes: 313,478,144 MACs and 14,728,266 parameters.
 * @returns a model from images [N, h, w, c] (default 32x32x3, at least 32x32) to logits [N, classes]
 * @throws FtwtError INVALID_ARGUMENT
 */
export function vgg16Bn(options: ModelOptions = {}): tf.LayersModel {
  const { inputShape, classes, factory } = checkedOptions('vgg16Bn', options, [32, 32, 3]);
  checkPoolings('vgg16Bn', inputShape, vgg16Widths);
  const input = tf.input({ shape: inputShape });
  const features = convolutions(input, vgg16Widths, factory, true);
  const flat = apply(tf.layers.flatten({ name: 'flatten' }), features);
  return tf.model({ inputs: input, outputs: factory.classifier(flat, classes), name: 'vgg16Bn' });
}

export interface VggSmallOptions extends ModelOptions {
  /** Default [32, 'M', 64, 64, 'M', 128, 128]. */
  widths?: VggWidths;
  /** How the last feature map becomes the classifier's input; default 'average' (global average pooling). */
  head?: 'average' | 'max' | 'flatten';
}

/**
 * A VGG-like network of a few 3x3 convolutions (batch norm, relu, no bias) that trains in minutes on a CPU.
 * @returns a model from images [N, h, w, c] (default 28x28x1) to logits [N, classes]
 * @throws FtwtError INVALID_ARGUMENT
 */
export function vggSmall(options: VggSmallOptions = {}): tf.LayersModel {
  const { inputShape, classes, factory } = checkedOptions('vggSmall', options, [28, 28, 1]);
  const { widths = [32, 'M', 64, 64, 'M', 128, 128], head = 'average' } = options;
  check(
    Array.isArray(widths) &&
      widths.every((width) => width === 'M' || isPositive(width)) &&
      widths.some((width) => width !== 'M'),
    () => `vggSmall: widths must be channel counts and 'M', got ${JSON.stringify(widths)}`,
  );
  checkPoolings('vggSmall', inputShape, widths);
  const input = tf.input({ shape: inputShape });
  const features = apply(headLayer(head), convolutions(input, widths, factory, false));
  return tf.model({
    inputs: input,
    outputs: factory.classifier(features, classes),
    name: 'vggSmall',
  });
}

function headLayer(head: string): tf.layers.Layer {
  check(
    ['average', 'max', 'flatten'].includes(head),
    () => `vggSmall: head must be 'average', 'max' or 'flatten', got ${JSON.stringify(head)}`,
  );
  if (head === 'flatten') return tf.layers.flatten({ name: 'flatten' });
  return head === 'max'
    ? tf.layers.globalMaxPooling2d({ name: 'pool' } as GlobalPoolingArgs)
    : tf.layers.globalAveragePooling2d({ name: 'pool' } as GlobalPoolingArgs);
}

/** tfjs marks `dataFormat` as required, although it has a default. */
type GlobalPoolingArgs = Parameters<typeof tf.layers.globalMaxPooling2d>[0];

function checkPoolings(builder: string, [h, w]: [number, number, number], widths: VggWidths): void {
  const smallest = 2 ** widths.filter((width) => width === 'M').length;
  check(
    h >= smallest && w >= smallest,
    () => `${builder}: images must be at least ${smallest}x${smallest}, got ${h}x${w}`,
  );
}

function convolutions(
  input: tf.SymbolicTensor,
  widths: VggWidths,
  factory: LayerFactory,
  useBias: boolean,
): tf.SymbolicTensor {
  let x = input;
  let convolutionCount = 0;
  let poolCount = 0;
  for (const width of widths) {
    if (width === 'M') {
      x = apply(tf.layers.maxPooling2d({ name: `pool${++poolCount}`, poolSize: 2 }), x);
    } else {
      const name = `conv${++convolutionCount}`;
      x = factory.convolution(x, { name, filters: width, kernelSize: 3, useBias });
    }
  }
  return x;
}
