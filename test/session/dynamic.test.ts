/** Dynamic networks: the masks of the tfjs model exactly, its logits to rounding, whatever the batch. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as tf from '@tensorflow/tfjs';
import { layers as ours, makeDynamic } from '../../src/index.js';
import { agreesOnMacs, mass, networks, setMasks } from './networks.js';
import { chain, images, modelOf, predict, scatter, sessionAgrees } from './oracle.js';

const { layers } = tf;

test('the builders, dense', () => {
  for (const { label, build, device, batch } of networks()) {
    sessionAgrees(label, scatter(build()), [1, batch], { device });
  }
});

test('the builders, dynamic, with masks that vary from image to image', () => {
  for (const { label, build, device, batch } of networks()) {
    const model = scatter(makeDynamic(build(), { mass }));
    sessionAgrees(label, model, [1, 3, batch], { device });
    const x = images(model, 8);
    const { masks } = predict(model, x);
    const rows = [...masks.values()].map((mask) => {
      const c = mask.length / 8;
      return new Set(Array.from({ length: 8 }, (_, n) => mask.slice(n * c, (n + 1) * c).join('')));
    });
    assert.ok(rows.filter(({ size }) => size > 1).length > rows.length / 2, `${label}: few vary`);
  }
});

test('the predictor pools and normalises as its layer says', () => {
  for (const pooling of ['max', 'average'] as const) {
    for (const softmax of [true, false]) {
      for (const [cIn, filters, size] of [
        [3, 17, 6],
        [33, 5, 1],
        [1, 1, 4],
        [5, 33, 9],
      ]) {
        const label = `${pooling}, softmax ${softmax}, ${cIn} to ${filters}`;
        const options = { mass, pooling, softmax, batchNormalization: true } as const;
        const conv = ours.dynamicConv2d({
          ...{ ...options, filters, kernelSize: 3, padding: 'same', activation: 'relu' },
        });
        sessionAgrees(label, modelOf([size, size, cIn], chain(conv)), [1, 3, 8]);
        const depthwise = ours.dynamicDepthwiseConv2d({
          ...{ ...options, kernelSize: 3, padding: 'same', depthMultiplier: 2 },
        });
        sessionAgrees(`depthwise ${label}`, modelOf([size, size, cIn], chain(depthwise)), [1, 8]);
      }
    }
  }
});

test('every activation before a mask, and after it', () => {
  const names = ['linear', 'relu', 'relu6', 'elu', 'sigmoid', 'hardSigmoid', 'softplus', 'tanh'];
  for (const name of names as 'relu'[]) {
    const dynamic = (activation: 'relu' | 'linear') =>
      ours.dynamicConv2d({ filters: 9, kernelSize: 3, mass, activation, batchNormalization: true });
    sessionAgrees(`${name} before`, modelOf([6, 6, 5], chain(dynamic(name))), [1, 4]);
    const after = layers.activation({ activation: name });
    sessionAgrees(`${name} after`, modelOf([6, 6, 5], chain(dynamic('linear'), after)), [1, 4]);
    const both = chain(dynamic('relu'), layers.activation({ activation: name }));
    sessionAgrees(`${name} after relu`, modelOf([6, 6, 5], both), [1, 4]);
  }
});

test('what may stand between two dynamic layers', () => {
  const dynamic = (args: Partial<ours.DynamicConv2dConfig> = {}) =>
    ours.dynamicConv2d({
      ...{ filters: 8, kernelSize: 3, padding: 'same', activation: 'relu', mass, ...args },
    });
  const pad = () =>
    layers.zeroPadding2d({ padding: 1 } as Parameters<typeof layers.zeroPadding2d>[0]);
  const bodies: Record<string, tf.layers.Layer[]> = {
    nothing: [dynamic(), dynamic()],
    'a batch norm': [dynamic(), layers.batchNormalization(), dynamic()],
    'a pooling': [dynamic(), layers.maxPooling2d({ poolSize: 2 }), dynamic()],
    'an average': [dynamic(), layers.averagePooling2d({ poolSize: 2 }), dynamic()],
    'a padding': [dynamic(), pad(), dynamic({ padding: 'valid' })],
    'a depthwise convolution': [dynamic(), layers.depthwiseConv2d({ kernelSize: 3 }), dynamic()],
    'a separable convolution': [
      dynamic(),
      layers.separableConv2d({ filters: 5, kernelSize: 3 }),
      dynamic(),
    ],
    'a dense layer of pixels': [dynamic(), layers.dense({ units: 7 }), dynamic()],
    'a softmax': [dynamic(), layers.softmax({ axis: 3 }), dynamic()],
    'a reshape': [dynamic(), layers.reshape({ targetShape: [3, 12, 8] }), dynamic()],
    'a leaky relu': [dynamic({ activation: 'linear' }), layers.leakyReLU(), dynamic()],
    'a sigmoid': [dynamic(), layers.activation({ activation: 'sigmoid' }), dynamic()],
    'a stride': [dynamic({ strides: 2 }), dynamic({ strides: 2 })],
    'a dilation': [dynamic({ dilationRate: 2 }), dynamic({ dilationRate: 2 })],
  };
  for (const [label, body] of Object.entries(bodies)) {
    sessionAgrees(label, modelOf([6, 6, 3], chain(...body)), [1, 3]);
    const head = [layers.globalMaxPooling2d({} as never), layers.dense({ units: 4 })];
    sessionAgrees(`${label}, dense`, modelOf([6, 6, 3], chain(...body, ...head)), [1, 3]);
    const flat = [layers.flatten(), layers.dense({ units: 4 })];
    sessionAgrees(`${label}, flatten`, modelOf([6, 6, 3], chain(...body, ...flat)), [1, 3]);
  }
});

test('sums and concatenations of dynamic layers', () => {
  const apply = (layer: tf.layers.Layer, ...x: tf.SymbolicTensor[]) =>
    layer.apply(x.length === 1 ? x[0] : x) as tf.SymbolicTensor;
  const dynamic = (activation: 'linear' | 'relu' = 'linear') =>
    ours.dynamicConv2d({
      ...{ filters: 6, kernelSize: 3, padding: 'same', activation, mass, batchNormalization: true },
    });
  const add = (...x: tf.SymbolicTensor[]) => apply(layers.reLU(), apply(layers.add(), ...x));
  const graphs: Record<string, (x: tf.SymbolicTensor) => tf.SymbolicTensor> = {
    'both linear': (x) => add(apply(dynamic(), x), apply(dynamic(), x)),
    'both relu': (x) => add(apply(dynamic('relu'), x), apply(dynamic('relu'), x)),
    'the first fuses and comes later': (x) =>
      add(apply(dynamic(), x), apply(dynamic('relu'), apply(dynamic('relu'), x))),
    'and a dense one': (x) =>
      add(apply(dynamic(), x), apply(layers.conv2d({ filters: 6, kernelSize: 1 }), x)),
    concatenated: (x) =>
      apply(
        dynamic(),
        apply(layers.concatenate(), apply(dynamic('relu'), x), x, apply(dynamic(), x)),
      ),
    'read by a convolution and a concatenation': (x) => {
      const y = apply(dynamic('relu'), x);
      return apply(layers.concatenate(), y, apply(dynamic('relu'), y));
    },
    'read by a pooling and as a residual': (x) => {
      const y = apply(dynamic('relu'), x);
      const pooled = apply(layers.maxPooling2d({ poolSize: 3, strides: 1, padding: 'same' }), y);
      return add(y, apply(dynamic(), pooled));
    },
    'a layer at two places': (x) => {
      const shared = layers.conv2d({ filters: 3, kernelSize: 1 });
      return apply(dynamic(), apply(shared, apply(layers.reLU(), apply(shared, x))));
    },
  };
  for (const [label, body] of Object.entries(graphs)) {
    const model = modelOf([6, 5, 3], body);
    sessionAgrees(label, model, [1, 3]);
    agreesOnMacs(label, model);
  }
});

test('no active channel, all of them, and one', () => {
  for (const { label, build, device } of networks()) {
    const model = scatter(makeDynamic(build(), { mass }));
    for (const [which, bias] of Object.entries({
      none: () => -1,
      all: () => 1,
      one: (c: number) => (c === 2 ? 1 : -1),
    })) {
      setMasks(model, bias);
      sessionAgrees(`${label}, ${which}`, model, device === 'emulator' ? [2] : [1, 3], { device });
    }
  }
});
