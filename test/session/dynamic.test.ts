/** Dynamic networks: the masks of the tfjs model exactly, its logits to rounding, whatever the batch. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as tf from '@tensorflow/tfjs';
import {
  compile,
  layers as ours,
  makeDynamic,
  measureMacs,
  mobilenetV1,
  resnet,
  vggSmall,
  vgg16Bn,
  countMacs,
  type Session,
} from '../../src/index.js';
import { uniform } from '../agrees.js';
import { sessionDevices } from '../devices.js';
import {
  chain,
  closeLogits,
  images,
  masksOf,
  modelOf,
  predict,
  scatter,
  sessionAgrees,
} from './oracle.js';

const { layers } = tf;
const mass = 0.9;

/** Sets the bias of every predictor, which decides alone once the kernels are 0. */
function setMasks(model: tf.LayersModel, bias: (channel: number) => number): void {
  for (const weight of model.weights) {
    const [length] = weight.shape as number[];
    if (/predictor_kernel$/.test(weight.originalName))
      weight.write(tf.zeros(weight.shape as number[]));
    if (/predictor_bias$/.test(weight.originalName)) {
      weight.write(tf.tensor1d(Array.from({ length }, (_, c) => bias(c))));
    }
  }
}

const builders: Record<string, () => tf.LayersModel> = {
  vgg16Bn: () => vgg16Bn({ seed: 1 }),
  'resnet 20': () => resnet({ depth: 20, seed: 1 }),
  mobilenetV1: () => mobilenetV1({ seed: 1, alpha: 0.5 }),
  vggSmall: () => vggSmall({ seed: 1, head: 'flatten' }),
};

/** For the emulator, which takes its time. */
const smallBuilders: typeof builders = {
  'resnet 8': () => resnet({ depth: 8, seed: 1 }),
  'mobilenetV1, alpha 0.25': () => mobilenetV1({ seed: 1, alpha: 0.25 }),
  vggSmall: () => vggSmall({ seed: 1, head: 'flatten' }),
};

/** What the builders' tests go through. */
function* networks(): Generator<{
  label: string;
  build: () => tf.LayersModel;
  device: string;
  /** The largest to try. */
  batch: number;
}> {
  for (const device of sessionDevices()) {
    const emulated = device === 'emulator';
    for (const [name, build] of Object.entries(emulated ? smallBuilders : builders)) {
      yield { label: `${name} on ${device}`, build, device, batch: emulated ? 3 : 8 };
    }
  }
}

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

function bitsEqual(actual: Float32Array, expected: Float32Array, label: string): void {
  const bits = (values: Float32Array) => new Uint32Array(values.slice().buffer);
  assert.deepEqual(bits(actual), bits(expected), label);
}

test('images so large that a batch goes through the network in parts', () => {
  if (!sessionDevices().includes('native')) return;
  const size = 60;
  const apply = (layer: tf.layers.Layer, ...x: tf.SymbolicTensor[]) =>
    layer.apply(x.length === 1 ? x[0] : x) as tf.SymbolicTensor;
  const dynamic = (filters: number, strides = 1) =>
    ours.dynamicConv2d({
      ...{ filters, kernelSize: 3, padding: 'same', activation: 'relu', mass, strides },
    });
  const input = tf.input({ shape: [size, size, 3] });
  const narrow = apply(dynamic(16), input); // all 8 images, then parts of 2
  // The last of these would fit where `narrow` is, which the next part has yet to read.
  const wide = apply(dynamic(64), apply(dynamic(64), apply(dynamic(64), narrow)));
  const sum = apply(layers.add(), apply(dynamic(64), wide), wide);
  const half = apply(dynamic(48, 2), sum); // of 4
  const small = apply(dynamic(16, 2), half); // of 8
  const skip = apply(dynamic(16, 4), wide);
  const head = apply(
    layers.dense({ units: 5 }),
    apply(layers.flatten(), apply(layers.add(), small, skip)),
  );
  const model = scatter(tf.model({ inputs: input, outputs: head }));
  const session = compile(model, { maxBatch: 8 });
  const x = images(model, 8);
  const whole = session.run(x, { masks: true });
  for (let n = 0; n < 8; n++) {
    const values = x.dataSync<'float32'>().slice(n * size * size * 3, (n + 1) * size * size * 3);
    const one = session.run(values, { masks: true });
    bitsEqual(one.logits, whole.logits.slice(n * 5, (n + 1) * 5), `image ${n}`);
    const { maskWidth } = session;
    assert.deepEqual(one.masks, whole.masks!.slice(n * maskWidth, (n + 1) * maskWidth));
  }
  session.dispose();
  sessionAgrees('large images', model, [8], { device: 'native' });
});

test("an image's result on the CPU does not depend on its batch, bit for bit", () => {
  if (!sessionDevices().includes('native')) return;
  for (const [label, build] of Object.entries(builders)) {
    for (const measure of [true, false]) {
      const model = scatter(makeDynamic(build(), { mass }));
      const session = compile(model, { maxBatch: 12, measure });
      const x = images(model, 12).dataSync<'float32'>();
      const floats = x.length / 12;
      const whole = session.run(x, { masks: true });
      const width = whole.logits.length / 12;
      for (const [first, n] of [
        [0, 1],
        [5, 1],
        [11, 1],
        [3, 3],
        [4, 8],
        [0, 11],
      ]) {
        const part = session.run(x.slice(first * floats, (first + n) * floats), { masks: true });
        const text = `${label}, images ${first} to ${first + n - 1}, measure ${measure}`;
        bitsEqual(part.logits, whole.logits.slice(first * width, (first + n) * width), text);
        const { maskWidth } = session;
        const masks = whole.masks!.slice(first * maskWidth, (first + n) * maskWidth);
        assert.deepEqual(part.masks, masks, text);
      }
      session.dispose();
    }
  }
});

test('on a GPU its masks do not depend on the batch, and its bits on nothing but the size', () => {
  for (const { label, build, device } of networks()) {
    if (device === 'native') continue;
    const model = scatter(makeDynamic(build(), { mass }));
    const session = compile(model, { maxBatch: 4, device });
    const x = images(model, 4).dataSync<'float32'>();
    const floats = x.length / 4;
    const image = (i: number) => x.subarray(i * floats, (i + 1) * floats);
    const runOf = (...order: number[]) => {
      const input = Float32Array.from(order.flatMap((i) => [...image(i)]));
      const { logits, masks } = session.run(input, { masks: true });
      const width = logits.length / order.length;
      return order.map((_, n) => ({
        logits: logits.slice(n * width, (n + 1) * width),
        masks: masks!.slice(n * session.maskWidth, (n + 1) * session.maskWidth),
      }));
    };
    const [first, second] = runOf(0, 1);
    bitsEqual(runOf(1, 3)[0].logits, second.logits, label);
    bitsEqual(runOf(2, 0)[1].logits, first.logits, label);
    for (const order of [[0], [3, 2, 0], [1, 0, 2, 3]]) {
      const at = order.indexOf(0);
      assert.deepEqual(runOf(...order)[at].masks, first.masks, `${label}, batch ${order.length}`);
    }
    session.dispose();
  }
});

test('forced masks take the place of the predicted', () => {
  for (const { label, build, device } of networks()) {
    const model = scatter(makeDynamic(build(), { mass }));
    const session = compile(model, { maxBatch: 3, measure: false, device });
    const x = images(model, 3);
    const predicted = session.run(x, { masks: true });
    const again = session.run(x, { forcedMasks: predicted.masks, masks: true });
    bitsEqual(again.logits, predicted.logits, label);
    assert.deepEqual(again.masks, predicted.masks, label);

    // The same masks for all images, by the biases of the tfjs model.
    const active = (c: number) => c % 3 !== 1;
    setMasks(model, (c) => (active(c) ? 1 : -1));
    const forcedMasks = new Uint8Array(3 * session.maskWidth);
    for (const { channels, maskOffset } of session.dynamicLayers) {
      for (let n = 0; n < 3; n++) {
        for (let c = 0; c < channels; c++) {
          forcedMasks[n * session.maskWidth + maskOffset + c] = Number(active(c));
        }
      }
    }
    const forced = session.run(x, { forcedMasks, masks: true });
    closeLogits(forced.logits, predict(model, x).logits, label);
    assert.deepEqual(forced.masks, forcedMasks, label);
    session.dispose();
  }
});

/** Counts and MACs of a run are those of `measureMacs`. */
function agreesOnMacs(label: string, model: tf.LayersModel, device = 'native'): Session {
  const session = compile(model, { maxBatch: 5, measure: false, device });
  const x = images(model, 5) as tf.Tensor4D;
  const measured = measureMacs(model, x);
  const { macs, activeCounts, masks } = session.run(x, { masks: true });
  assert.equal(macs.dense, measured.denseMacs, label);
  assert.equal(macs.dense, countMacs(model).total, label);
  assert.deepEqual(macs.published, measured.perSample.published, label);
  assert.deepEqual(macs.skippable, measured.perSample.skippable, label);
  const { dynamicLayers, maskWidth } = session;
  dynamicLayers.forEach(({ maskOffset, channels }, layer) => {
    for (let n = 0; n < 5; n++) {
      const start = n * maskWidth + maskOffset;
      const count = masks!.subarray(start, start + channels).reduce((a, b) => a + b, 0);
      assert.equal(activeCounts[n * dynamicLayers.length + layer], count, label);
    }
  });
  return session;
}

test('MACs and counts are those of measureMacs', () => {
  for (const { label, build, device } of networks()) {
    const model = scatter(makeDynamic(build(), { mass }));
    const session = agreesOnMacs(label, model, device);
    const names = new Set(session.dynamicLayers.map(({ name }) => name));
    assert.equal(names.size, session.dynamicLayers.length);
    session.dispose();
  }
});

test('a profile names every layer, and its MACs sum to those of the run', () => {
  const dense = scatter(vggSmall({ seed: 1 }));
  const model = scatter(makeDynamic(vggSmall({ seed: 1 }), { mass }));
  const cases = sessionDevices().flatMap((device) =>
    Object.entries({ dense, dynamic: model }).map(([name, network]) => ({ device, name, network })),
  );
  for (const { device, name, network } of cases) {
    const label = `${name} on ${device}`;
    const session = compile(network, { maxBatch: 4, measure: false, device });
    const x = images(network, 4);
    const { macs } = session.run(x);
    const profile = session.profile(x);
    assert.deepEqual(
      profile.map(({ name, kind }) => `${kind} ${name}`),
      session.layers.map(({ name, kind }) => `${kind} ${name}`),
    );
    const sum = (pick: (layer: (typeof profile)[0]) => number) =>
      profile.reduce((total, layer) => total + pick(layer), 0);
    assert.equal(
      sum(({ denseMacs }) => denseMacs),
      macs.dense,
      label,
    );
    const mean = macs.skippable.reduce((a, b) => a + b) / 4;
    assert.ok(Math.abs(sum(({ activeMacs }) => activeMacs) - mean) < 1e-6 * mean, label);
    assert.ok(profile.every(({ milliseconds, steps }) => milliseconds > 0 && steps.length > 0));
    session.dispose();
  }
});

test('a model that is trained on does not change its session', () => {
  const model = scatter(makeDynamic(vggSmall({ seed: 1 }), { mass }));
  const session = compile(model, { maxBatch: 2, measure: false });
  const x = images(model, 2);
  const before = session.run(x).logits;
  scatter(model, 2);
  bitsEqual(session.run(x).logits, before, 'after training');
  assert.notDeepEqual([...predict(model, x).logits], [...before]);
  model.dispose();
  bitsEqual(session.run(x).logits, before, 'after dispose');
  session.dispose();
});

test('the order of dynamicLayers tells which mask is whose', () => {
  const model = modelOf([6, 6, 3], (x) => {
    const dynamic = (name: string, activation: 'linear' | 'relu') =>
      ours
        .dynamicConv2d({ name, filters: 6, kernelSize: 3, padding: 'same', activation, mass })
        .apply(x) as tf.SymbolicTensor;
    const sum = layers.add().apply([dynamic('first', 'linear'), dynamic('second', 'relu')]);
    return sum as tf.SymbolicTensor;
  });
  const session = compile(model, { measure: false });
  assert.deepEqual(
    session.dynamicLayers.map(({ name }) => name),
    ['second', 'first'],
  );
  const x = uniform([2, 6, 6, 3], -1, 1, 3);
  const masks = masksOf(session.run(x, { masks: true }), session.dynamicLayers, session.maskWidth);
  assert.deepEqual(masks.get('first'), predict(model, x).masks.get('first'));
  session.dispose();
});
