/** Every supported layer, alone and in odd sizes, against the tfjs model. */
import { test } from 'node:test';
import * as tf from '@tensorflow/tfjs';
import { layers as ours } from '../../src/index.js';
import { ChannelPadShortcut } from '../../src/models/channelPadShortcut.js';
import { chain, modelOf, sessionAgrees } from './oracle.js';

const { layers } = tf;
type ConvArgs = Parameters<typeof layers.conv2d>[0];
type DepthwiseArgs = Parameters<typeof layers.depthwiseConv2d>[0];
type GlobalArgs = Parameters<typeof layers.globalMaxPooling2d>[0];

const geometries: [string, number[], Omit<ConvArgs, 'filters'>][] = [
  ['3x3 same', [8, 8, 3], { kernelSize: 3, padding: 'same' }],
  ['3x3 valid', [9, 7, 3], { kernelSize: 3 }],
  ['1x1', [5, 6, 17], { kernelSize: 1 }],
  ['1x1 of one pixel', [1, 1, 33], { kernelSize: 1 }],
  ['3x3 same of one pixel', [1, 1, 5], { kernelSize: 3, padding: 'same' }],
  ['3x3 stride 2 same, even', [8, 8, 5], { kernelSize: 3, strides: 2, padding: 'same' }],
  ['3x3 stride 2 same, odd', [7, 9, 5], { kernelSize: 3, strides: 2, padding: 'same' }],
  ['3x3 stride 2 valid', [8, 9, 3], { kernelSize: 3, strides: 2 }],
  ['1x1 stride 2', [7, 8, 17], { kernelSize: 1, strides: 2, padding: 'same' }],
  ['2x2 same, asymmetric', [6, 5, 3], { kernelSize: 2, padding: 'same' }],
  ['4x2 same, asymmetric', [6, 7, 3], { kernelSize: [4, 2], padding: 'same' }],
  ['1x5 and 2x1 strides', [6, 9, 3], { kernelSize: [1, 5], strides: [2, 1], padding: 'same' }],
  ['5x5 stride 3', [11, 10, 1], { kernelSize: 5, strides: 3, padding: 'same' }],
  ['7x7 stride 2 same', [16, 16, 3], { kernelSize: 7, strides: 2, padding: 'same' }],
  ['kernel larger than the image', [2, 3, 5], { kernelSize: 5, padding: 'same' }],
  ['dilation 2 same', [9, 8, 5], { kernelSize: 3, dilationRate: 2, padding: 'same' }],
  ['dilation 2 valid', [9, 8, 5], { kernelSize: 3, dilationRate: 2 }],
  ['dilation [3, 1]', [8, 6, 3], { kernelSize: 3, dilationRate: [3, 1], padding: 'same' }],
  ['a row', [1, 12, 3], { kernelSize: 3, padding: 'same' }],
  ['a large image', [33, 31, 3], { kernelSize: 3, padding: 'same' }],
];

test('conv2d in every geometry', () => {
  for (const [label, shape, args] of geometries) {
    for (const filters of [1, 3, 17]) {
      const conv = layers.conv2d({ ...args, filters });
      sessionAgrees(`${label}, ${filters} filters`, modelOf(shape, chain(conv)));
    }
  }
});

test('conv2d with every number of channels', () => {
  for (const cIn of [1, 3, 5, 16, 17, 33]) {
    for (const filters of [1, 3, 5, 16, 17, 33]) {
      for (const size of [1, 4, 12]) {
        const conv = layers.conv2d({ filters, kernelSize: 3, padding: 'same', useBias: false });
        const label = `${size}x${size}, ${cIn} to ${filters}`;
        sessionAgrees(label, modelOf([size, size, cIn], chain(conv)), [1, 2]);
      }
    }
  }
});

test('depthwise and separable convolutions in every geometry', () => {
  for (const [label, shape, { dilationRate, ...args }] of geometries) {
    for (const depthMultiplier of [1, 3]) {
      const text = `${label}, multiplier ${depthMultiplier}`;
      const depthwise = layers.depthwiseConv2d({ ...args, depthMultiplier } as DepthwiseArgs);
      sessionAgrees(`depthwise ${text}`, modelOf(shape, chain(depthwise)));
      const separable = layers.separableConv2d({
        ...{ ...args, dilationRate, depthMultiplier, filters: 6, activation: 'relu' },
      });
      sessionAgrees(`separable ${text}`, modelOf(shape, chain(separable)));
    }
  }
});

test('a depthwise convolution ignores its dilation, as tfjs does', () => {
  const depthwise = layers.depthwiseConv2d({ kernelSize: 3, dilationRate: 2, padding: 'same' });
  sessionAgrees('dilated', modelOf([7, 7, 3], chain(depthwise)));
});

test('poolings in every geometry', () => {
  for (const [label, shape, { kernelSize, strides, padding, dilationRate }] of geometries) {
    if (dilationRate !== undefined) continue;
    const args = { poolSize: kernelSize, strides, padding } as Parameters<
      typeof layers.maxPooling2d
    >[0];
    sessionAgrees(`max ${label}`, modelOf(shape, chain(layers.maxPooling2d(args))));
    sessionAgrees(`average ${label}`, modelOf(shape, chain(layers.averagePooling2d(args))));
  }
  for (const shape of [
    [1, 1, 3],
    [7, 5, 33],
  ]) {
    const none = {} as GlobalArgs;
    sessionAgrees('global max', modelOf(shape, chain(layers.globalMaxPooling2d(none))));
    sessionAgrees('global average', modelOf(shape, chain(layers.globalAveragePooling2d(none))));
  }
});

test('dense layers, of vectors, rows and images', () => {
  for (const units of [1, 5, 16, 33]) {
    for (const shape of [[1], [7], [33], [3, 5], [4, 3, 17]]) {
      const dense = layers.dense({ units, activation: 'relu' });
      sessionAgrees(`[${shape.join()}] to ${units}`, modelOf(shape, chain(dense)), [1, 3, 8]);
    }
  }
});

const names = ['linear', 'relu', 'relu6', 'elu', 'sigmoid', 'hardSigmoid', 'softplus', 'tanh'];

test('every activation, of its own and in a layer', () => {
  for (const name of [...names, 'softmax'] as 'relu'[]) {
    sessionAgrees(name, modelOf([3, 4, 5], chain(layers.activation({ activation: name }))));
    const conv = layers.conv2d({ filters: 5, kernelSize: 3, activation: name });
    sessionAgrees(`conv ${name}`, modelOf([5, 4, 3], chain(conv)));
    const depthwise = layers.depthwiseConv2d({ kernelSize: 3, activation: name });
    sessionAgrees(`depthwise ${name}`, modelOf([5, 4, 3], chain(depthwise)));
    const dense = layers.dense({ units: 7, activation: name });
    sessionAgrees(`dense ${name}`, modelOf([6], chain(dense)));
  }
});

test('the layers of activations, and two in a row', () => {
  const wide = layers.conv2d({ filters: 8, kernelSize: 1, kernelInitializer: 'ones' });
  const stretch = () => layers.batchNormalization();
  for (const layer of [
    () => layers.reLU(),
    () => layers.reLU({ maxValue: 6 }),
    () => layers.reLU({ maxValue: 0.4 }),
    () => layers.leakyReLU(),
    () => layers.leakyReLU({ alpha: 0.05 }),
    () => layers.elu(),
  ]) {
    const label = layer().getClassName() + JSON.stringify(layer().getConfig());
    sessionAgrees(label, modelOf([4, 3, 5], chain(layer())));
    sessionAgrees(`conv, ${label}`, modelOf([4, 3, 5], chain(wide, layer())));
    sessionAgrees(`norm, ${label}`, modelOf([4, 3, 5], chain(stretch(), layer())));
    sessionAgrees(`conv, ${label}, relu`, modelOf([4, 3, 5], chain(wide, layer(), layers.reLU())));
    const twice = chain(wide, layers.reLU(), layer());
    sessionAgrees(`conv, relu, ${label}`, modelOf([4, 3, 5], twice));
  }
  sessionAgrees('softmax', modelOf([6], chain(layers.softmax())));
  sessionAgrees('softmax of pixels', modelOf([2, 3, 6], chain(layers.softmax({ axis: 3 }))));
});

test('batch norm, alone, folded, and after what cannot take it', () => {
  const conv = () => layers.conv2d({ filters: 6, kernelSize: 3, padding: 'same' });
  const norm = () => layers.batchNormalization({ epsilon: 1e-2 });
  const bare = () => layers.batchNormalization({ center: false, scale: false });
  const inner = () => layers.conv2d({ filters: 4, kernelSize: 1, activation: 'relu' });
  const bodies: Record<string, tf.layers.Layer[]> = {
    alone: [norm()],
    'without gamma and beta': [conv(), bare()],
    'of this package': [conv(), ours.batchNormalization()],
    'after a convolution without bias': [
      layers.conv2d({ filters: 3, kernelSize: 1, useBias: false }),
      norm(),
    ],
    'after a depthwise convolution': [
      layers.depthwiseConv2d({ kernelSize: 3, depthMultiplier: 2 }),
      norm(),
    ],
    'after a separable convolution': [
      layers.separableConv2d({ filters: 4, kernelSize: 3 }),
      norm(),
    ],
    'after an activation': [inner(), norm()],
    'after a pooling': [conv(), layers.maxPooling2d({ poolSize: 2 }), norm(), layers.reLU()],
    twice: [conv(), norm(), bare()],
    'twice after a relu': [inner(), norm(), bare(), layers.reLU()],
    'before a convolution with padding': [norm(), conv()],
    'of a vector': [layers.flatten(), layers.dense({ units: 5 }), norm(), layers.reLU()],
  };
  for (const [label, body] of Object.entries(bodies)) {
    sessionAgrees(label, modelOf([6, 5, 3], chain(...body)));
  }
});

test('paddings, folded and of their own', () => {
  const pad = (padding: number | [number, number] | [[number, number], [number, number]]) =>
    layers.zeroPadding2d({ padding } as Parameters<typeof layers.zeroPadding2d>[0]);
  const uneven = () =>
    pad([
      [0, 2],
      [3, 1],
    ]);
  const conv = (args: Partial<ConvArgs> = {}) =>
    layers.conv2d({ filters: 5, kernelSize: 3, activation: 'relu', ...args });
  const bodies: Record<string, tf.layers.Layer[]> = {
    alone: [uneven()],
    'of nothing': [pad(0), conv()],
    'before a convolution': [pad(1), conv({ strides: 2 })],
    uneven: [uneven(), conv()],
    'wider than the kernel': [pad(4), conv()],
    'before a convolution that pads': [pad([1, 0]), conv({ padding: 'same' })],
    twice: [pad(1), pad([0, 1]), conv({ kernelSize: 5 })],
    'before a depthwise convolution': [
      pad([
        [0, 1],
        [0, 1],
      ]),
      layers.depthwiseConv2d({ kernelSize: 3, strides: 2 }),
    ],
    'before a pooling': [pad(1), layers.maxPooling2d({ poolSize: 3, strides: 2 })],
    'before a pooling, after a relu': [
      conv(),
      pad(1),
      layers.maxPooling2d({ poolSize: 3, strides: 2 }),
    ],
    'before an average': [conv(), pad(1), layers.averagePooling2d({ poolSize: 3, strides: 2 })],
    'last row of windows without an image': [
      pad([
        [0, 5],
        [0, 5],
      ]),
      conv(),
    ],
  };
  for (const [label, body] of Object.entries(bodies)) {
    sessionAgrees(label, modelOf([6, 5, 3], chain(...body)));
  }
  const both = modelOf([6, 5, 3], (x) => {
    const padded = pad(1).apply(x) as tf.SymbolicTensor;
    const y = conv({ padding: 'same', filters: 3 }).apply(padded) as tf.SymbolicTensor;
    return layers.add().apply([padded, y]) as tf.SymbolicTensor;
  });
  sessionAgrees('read by two', both);
});

test('reshapes and what does nothing', () => {
  const bodies: Record<string, tf.layers.Layer[]> = {
    flatten: [layers.flatten()],
    'flatten, dense': [
      layers.conv2d({ filters: 7, kernelSize: 2 }),
      layers.flatten(),
      layers.dense({ units: 4 }),
    ],
    'flatten twice': [
      layers.flatten(),
      layers.reshape({ targetShape: [3, 20] }),
      layers.flatten(),
      layers.dense({ units: 4 }),
    ],
    'reshape to an image': [
      layers.flatten(),
      layers.reshape({ targetShape: [5, 3, 4] }),
      layers.conv2d({ filters: 2, kernelSize: 3 }),
    ],
    'reshape to rows': [layers.reshape({ targetShape: [6, 10] }), layers.dense({ units: 3 })],
    dropouts: [
      layers.dropout({ rate: 0.5 }),
      layers.gaussianNoise({ stddev: 1 }),
      layers.alphaDropout({ rate: 0.3 }),
      layers.gaussianDropout({ rate: 0.2 }),
      layers.dense({ units: 2 }),
    ],
    nothing: [layers.dropout({ rate: 0.5 })],
  };
  for (const [label, body] of Object.entries(bodies)) {
    sessionAgrees(label, modelOf([4, 5, 3], chain(...body)));
  }
});

test('sums, concatenations and shortcuts in graphs', () => {
  const conv = (filters = 6, args: Partial<ConvArgs> = {}) =>
    layers.conv2d({ filters, kernelSize: 3, padding: 'same', ...args });
  const apply = (layer: tf.layers.Layer, ...x: tf.SymbolicTensor[]) =>
    layer.apply(x.length === 1 ? x[0] : x) as tf.SymbolicTensor;
  const add = (...x: tf.SymbolicTensor[]) => apply(layers.add(), ...x);
  const graphs: Record<string, (x: tf.SymbolicTensor) => tf.SymbolicTensor> = {
    'x + x': (x) => add(x, x),
    'conv + x, relu': (x) => apply(layers.reLU(), add(apply(conv(3), x), x)),
    'x + conv, relu6': (x) => apply(layers.reLU({ maxValue: 6 }), add(x, apply(conv(3), x))),
    'conv + conv': (x) => add(apply(conv(), x), apply(conv(), x)),
    'conv with norm + pool': (x) =>
      add(
        apply(layers.batchNormalization(), apply(conv(3), x)),
        apply(layers.maxPooling2d({ poolSize: 3, strides: 1, padding: 'same' }), x),
      ),
    'early conv + late branch': (x) => {
      const early = apply(conv(5), x);
      const late = apply(layers.reLU(), apply(conv(5), apply(layers.reLU(), apply(conv(4), x))));
      return apply(layers.elu(), add(early, late));
    },
    'relu conv + x': (x) => add(apply(conv(3, { activation: 'relu' }), x), x),
    'tanh conv + x': (x) => add(apply(conv(3, { activation: 'tanh' }), x), x),
    'conv that is read twice': (x) => {
      const y = apply(conv(), x);
      return add(y, apply(conv(), y));
    },
    'sum of four': (x) => add(apply(conv(3), x), x, apply(conv(3), x), apply(layers.reLU(), x)),
    'sums of sums': (x) => {
      const y = add(apply(conv(3), x), x);
      return add(apply(conv(3), y), add(apply(conv(3), y), y));
    },
    'norm of a sum': (x) => apply(layers.batchNormalization(), add(x, apply(conv(3), x))),
    'depthwise + x': (x) =>
      add(apply(layers.depthwiseConv2d({ kernelSize: 3, padding: 'same' }), x), x),
    'sum of vectors': (x) => {
      const flat = apply(layers.flatten(), x);
      const dense = () => layers.dense({ units: 9 });
      return add(apply(dense(), flat), apply(dense(), flat));
    },
    concatenate: (x) => apply(layers.concatenate(), apply(conv(5), x), x, apply(layers.reLU(), x)),
    'concatenate x and x, conv': (x) =>
      apply(conv(4), apply(layers.concatenate({ axis: 3 }), x, x)),
    'concatenate vectors': (x) => {
      const flat = apply(layers.flatten(), x);
      return apply(layers.concatenate(), flat, apply(layers.dense({ units: 5 }), flat));
    },
    'shortcut of stride 2': (x) => apply(new ChannelPadShortcut({ filters: 8, strides: 2 }), x),
    'shortcut of stride 3': (x) => apply(new ChannelPadShortcut({ filters: 3, strides: 3 }), x),
    'wider shortcut': (x) => apply(new ChannelPadShortcut({ filters: 20, strides: 1 }), x),
    'shortcut of nothing': (x) =>
      apply(conv(2), apply(new ChannelPadShortcut({ filters: 3, strides: 1 }), x)),
    'a layer at two places': (x) => {
      const shared = conv(3);
      return apply(shared, apply(layers.reLU(), apply(shared, x)));
    },
    'a norm at two places': (x) => {
      const norm = layers.batchNormalization();
      return apply(norm, apply(conv(3), apply(norm, apply(conv(3), x))));
    },
    'two readers, one of them a relu': (x) => {
      const y = apply(conv(3), x);
      return apply(
        layers.concatenate(),
        apply(layers.reLU(), y),
        apply(layers.batchNormalization(), y),
      );
    },
  };
  for (const [label, body] of Object.entries(graphs)) {
    sessionAgrees(label, modelOf([7, 6, 3], body), [1, 3]);
  }
});

test('Sequential models', () => {
  const model = tf.sequential({
    layers: [
      layers.conv2d({ inputShape: [8, 8, 3], filters: 5, kernelSize: 3, activation: 'relu' }),
      layers.maxPooling2d({ poolSize: 2 }),
      layers.flatten(),
      layers.dropout({ rate: 0.5 }),
      layers.dense({ units: 10, activation: 'softmax' }),
    ],
  });
  sessionAgrees('sequential', model, [1, 8]);
});
