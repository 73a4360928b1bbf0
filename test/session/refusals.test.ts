/** Models that cannot be compiled: each error names the layer, and what of it is not supported. */
import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import * as tf from '@tensorflow/tfjs';
import { compile, layers as ours } from '../../src/index.js';
import { ChannelPadShortcut } from '../../src/models/channelPadShortcut.js';
import { invalid } from '../ops/opsHelpers.js';
import { chain } from './oracle.js';

const { layers } = tf;
const name = 'odd';

before(() => tf.setBackend('native'));

/** The model of one input and what `body` makes of it. */
function modelOf(shape: (number | null)[], body: (x: tf.SymbolicTensor) => tf.SymbolicTensor) {
  const input = tf.input({ shape, name: 'image' });
  return tf.model({ inputs: input, outputs: body(input) });
}

function refuses(model: tf.LayersModel, ...parts: string[]): void {
  const { numTensors } = tf.memory();
  for (const part of ['compile: ', ...parts]) invalid(() => compile(model), part);
  assert.equal(tf.memory().numTensors, numTensors, 'tensors leaked');
}

test('classes of layers that are not supported', () => {
  const image = [8, 8, 3];
  const rows = [8, 6];
  const odd: [number[], tf.layers.Layer, string][] = [
    [image, layers.upSampling2d({ size: [2, 2], name }), 'UpSampling2D'],
    [image, layers.conv2dTranspose({ filters: 2, kernelSize: 3, name }), 'Conv2DTranspose'],
    [
      image,
      layers.cropping2D({
        cropping: [
          [1, 1],
          [1, 1],
        ],
        name,
      } as never),
      'Cropping2D',
    ],
    [image, layers.layerNormalization({ name }), 'LayerNormalization'],
    [image, layers.prelu({ name }), 'PReLU'],
    [image, layers.thresholdedReLU({ name }), 'ThresholdedReLU'],
    [image, layers.permute({ dims: [2, 1, 3], name }), 'Permute'],
    [rows, layers.conv1d({ filters: 2, kernelSize: 3, name }), 'Conv1D'],
    [rows, layers.maxPooling1d({ poolSize: 2, name }), 'MaxPooling1D'],
    [rows, layers.globalAveragePooling1d({ name }), 'GlobalAveragePooling1D'],
    [rows, layers.lstm({ units: 3, name }) as tf.layers.Layer, 'LSTM'],
    [[6], layers.repeatVector({ n: 2, name }), 'RepeatVector'],
  ];
  for (const [shape, layer, kind] of odd) {
    const text = 'this class of layer is not supported; supported are InputLayer, Conv2D';
    refuses(modelOf(shape, chain(layer)), `layer "odd" (${kind}): ${text}`);
  }
});

test('joins of layers that are not supported', () => {
  for (const [make, kind] of [
    [() => layers.multiply({ name }), 'Multiply'],
    [() => layers.average({ name }), 'Average'],
    [() => layers.maximum({ name }), 'Maximum'],
    [() => layers.dot({ axes: -1, name }), 'Dot'],
  ] as [() => tf.layers.Layer, string][]) {
    const body = (x: tf.SymbolicTensor) => make().apply([x, x]) as tf.SymbolicTensor;
    refuses(modelOf([5], body), `layer "odd" (${kind}): this class of layer is not supported`);
  }
  const concat = (axis: number) => (x: tf.SymbolicTensor) =>
    layers.concatenate({ axis, name }).apply([x, x]) as tf.SymbolicTensor;
  const text = 'layer "odd" (Concatenate): only the last axis, 3, can be concatenated along, got';
  refuses(modelOf([4, 4, 2], concat(1)), `${text} 1`);
  const add = (x: tf.SymbolicTensor) => {
    const pixel = layers.averagePooling2d({ poolSize: 4 }).apply(x);
    return layers.add({ name }).apply([x, pixel as tf.SymbolicTensor]) as tf.SymbolicTensor;
  };
  const addends = 'layer "odd" (Add): addends must be of one shape, got [4, 4, 2] and [1, 1, 2]';
  refuses(modelOf([4, 4, 2], add), addends);
});

test('settings of layers that are not supported', () => {
  const dataFormat = 'channelsFirst' as const;
  const first = 'dataFormat channelsFirst is not supported; expected channelsLast';
  const selu = "activation 'selu' is not supported; expected one of linear, relu";
  const softmax = 'softmax must be over the last axis, 3, got 1';
  const norm = 'batch norm must be over the last axis, got axis 1 of 4';
  const odd: [tf.layers.Layer, string, string][] = [
    [layers.conv2d({ filters: 2, kernelSize: 3, dataFormat, name }), 'Conv2D', first],
    [layers.maxPooling2d({ poolSize: 2, dataFormat, name }), 'MaxPooling2D', first],
    [layers.flatten({ dataFormat, name }), 'Flatten', first],
    [layers.conv2d({ filters: 2, kernelSize: 3, activation: 'selu', name }), 'Conv2D', selu],
    [layers.dense({ units: 2, activation: 'selu', name }), 'Dense', selu],
    [layers.activation({ activation: 'softsign', name }), 'Activation', "'softsign' is not"],
    [layers.softmax({ axis: 1, name }), 'Softmax', softmax],
    [layers.batchNormalization({ axis: 1, name }), 'BatchNormalization', norm],
  ];
  for (const [layer, kind, text] of odd) {
    refuses(modelOf([8, 7, 8], chain(layer)), `layer "odd" (${kind}): `, text);
  }
  const masked = ours.dynamicConv2d({
    ...{ filters: 4, kernelSize: 3, activation: 'softmax' as 'relu', mass: 0.9, name },
  });
  const before = "(FtwtDynamicConv2D): activation 'softmax' is not supported before a mask";
  refuses(modelOf([8, 8, 3], chain(masked)), `layer "odd" ${before}`);
});

test('sizes that are not supported', () => {
  const conv = (args = {}) => layers.conv2d({ filters: 2, kernelSize: 3, name, ...args });
  const fixed = 'needs fixed sizes, but layer "image" puts out [?, ?, ?, 3]';
  refuses(modelOf([null, null, 3], chain(conv())), fixed);
  refuses(
    modelOf([2, 2, 3], chain(conv())),
    'layer "odd" (Conv2D): puts out [0, 0, 2], which is empty',
  );
  const volume = layers.conv3d({ filters: 2, kernelSize: 1, name });
  refuses(
    modelOf([4, 4, 4, 1], chain(volume)),
    'layer "image" (InputLayer): puts out [4, 4, 4, 1]',
  );
  const reshape = layers.reshape({ targetShape: [2, 2, 2, 6], name });
  refuses(modelOf([4, 4, 3], chain(reshape)), 'layer "odd" (Reshape): puts out [2, 2, 2, 6]');
});

test('models that are no networks of one image and one output', () => {
  const [a, b] = [tf.input({ shape: [4] }), tf.input({ shape: [4] })];
  const sum = layers.add({ name }).apply([a, b]) as tf.SymbolicTensor;
  refuses(tf.model({ inputs: [a, b], outputs: sum }), 'expected a model with one input, got 2');
  const dense = () => layers.dense({ units: 2 }).apply(a) as tf.SymbolicTensor;
  refuses(
    tf.model({ inputs: a, outputs: [dense(), dense()] }),
    'expected a model with one output, got 2',
  );
  const inner = modelOf([4], chain(layers.dense({ units: 4 })));
  const outer = tf.sequential({ layers: [layers.dense({ units: 4, inputShape: [4] }), inner] });
  refuses(outer, 'models inside a model are not supported');
  refuses(tf.sequential(), 'has no outputs: build it first');
  for (const model of [undefined, null, 7, {}, Object.create(null)]) {
    refuses(model as tf.LayersModel, 'model must be a tf.LayersModel, got ');
  }
  const gone = modelOf([4], chain(layers.dense({ units: 4, name })));
  gone.dispose();
  refuses(gone, 'the model is disposed (weight odd/kernel');
});

test('the layer at fault is named, wherever it stands', () => {
  const conv = (label: string) =>
    layers.conv2d({ filters: 3, kernelSize: 3, padding: 'same', name: label });
  const odd = layers.upSampling2d({ size: [2, 2], name });
  const body = chain(conv('first'), layers.reLU(), odd, conv('last'), layers.flatten());
  refuses(modelOf([6, 6, 3], body), 'layer "odd" (UpSampling2D)');
  // Nothing is left behind: what is supported still compiles.
  const shortcut = new ChannelPadShortcut({ filters: 8, strides: 2 });
  compile(modelOf([6, 6, 3], chain(conv('again'), shortcut))).dispose();
});
