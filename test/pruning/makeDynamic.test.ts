import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as tf from '@tensorflow/tfjs';
import { countMacs, FtwtError, layers, makeDynamic, vggSmall } from '../../src/index.js';
import { allClose } from '../allClose.js';
import {
  branches,
  forward,
  images,
  savedAndLoaded,
  scatterPredictors,
  smallNetworks,
} from './networks.js';

test('a new dynamic network computes what the dense one does, on native and cpu', async () => {
  for (const backend of ['native', 'cpu']) {
    await tf.setBackend(backend);
    for (const model of smallNetworks()) {
      const dynamic = makeDynamic(model, { mass: 0.9 });
      tf.tidy(() => {
        const x = images(model, 3);
        allClose(
          dynamic.predict(x) as tf.Tensor,
          model.predict(x) as tf.Tensor,
          { absolute: 1e-4, relative: 1e-3 },
          `${model.name} on ${backend}`,
        );
      });
      model.dispose();
      dynamic.dispose();
    }
  }
  await tf.setBackend('native');
});

test('every convolution becomes dynamic, and only backbone and predictor weights are counted', () => {
  const counts = smallNetworks().map((model) => {
    const dynamic = makeDynamic(model, { keepRatio: 0.5 });
    const convolutions = model.layers.filter((layer) => /Conv2D/.test(layer.getClassName()));
    const dynamicLayers = dynamic.layers.filter((layer) =>
      /^FtwtDynamic/.test(layer.getClassName()),
    );
    assert.deepEqual(
      dynamicLayers.map(({ name }) => name).sort(),
      convolutions.map(({ name }) => name).sort(),
    );
    const [dense, pruned] = [countMacs(model), countMacs(dynamic)];
    assert.equal(pruned.total, dense.total, model.name);
    // A predictor has one weight per MAC and a bias per channel.
    const channels = dynamicLayers.reduce(
      (sum, { outputShape }) => sum + (outputShape[3] as number),
      0,
    );
    assert.equal(pruned.parameters, dense.parameters + pruned.predictors + channels, model.name);
    return pruned.predictors;
  });
  assert.ok(counts.every((count) => count > 0));
});

test('masked channels are zero, and the network is the dense one with masks', () => {
  const model = vggSmall({
    inputShape: [8, 8, 2],
    widths: [6],
    head: 'flatten',
    classes: 3,
    seed: 4,
  });
  const dynamic = makeDynamic(model, { mass: 0.9 });
  scatterPredictors(dynamic);
  tf.tidy(() => {
    const x = images(model, 4);
    const { y, records } = forward(dynamic, x);
    const [{ mask, maskLogits, targetMask }] = records;
    assert.equal(targetMask, undefined);
    allClose(mask, maskLogits.greater(0).cast('float32'));
    const ratio = mask.mean().dataSync()[0];
    assert.ok(ratio > 0.1 && ratio < 0.9, `the masks say nothing: ${ratio}`);
    const activation = tf.model({
      inputs: model.inputs,
      outputs: model.getLayer('conv1_relu').output,
    });
    const masked = (activation.predict(x) as tf.Tensor4D).mul(mask.reshape([4, 1, 1, 6]));
    const logits = model.getLayer('classifier').apply(masked.reshape([4, -1])) as tf.Tensor;
    allClose(y, logits, { absolute: 1e-4, relative: 1e-3 });
  });
});

test('saving and loading keeps options, weights, masks and outputs', async () => {
  for (const model of smallNetworks()) {
    const dynamic = makeDynamic(model, {
      mass: 0.8,
      mode: 'joint',
      minActive: 2,
      crossing: 'include',
      pooling: 'average',
      softmax: false,
    });
    scatterPredictors(dynamic);
    const loaded = await savedAndLoaded(dynamic);
    tf.tidy(() => {
      const x = images(model, 2);
      const [before, after] = [forward(dynamic, x, true), forward(loaded, x, true)];
      before.records.forEach((record, i) => {
        allClose(after.records[i].mask, record.mask);
        allClose(after.records[i].targetMask!, record.targetMask!);
      });
      allClose(loaded.predict(x) as tf.Tensor, dynamic.predict(x) as tf.Tensor);
    });
    for (const layer of dynamic.layers.filter(
      ({ name }) => loaded.getLayer(name) instanceof layers.DynamicLayer,
    )) {
      assert.deepEqual(loaded.getLayer(layer.name).getConfig(), layer.getConfig());
    }
  }
});

test('training the dynamic network leaves the dense one alone', () => {
  const [model] = smallNetworks();
  const dynamic = makeDynamic(model, { mass: 0.9 });
  const before = model.getWeights().map((weight) => Array.from(weight.dataSync()));
  tf.tidy(() => {
    const x = images(model, 4);
    tf.train
      .sgd(0.1)
      .minimize(
        () => (dynamic.apply(x, { training: true }) as tf.Tensor).square().sum() as tf.Scalar,
      );
  });
  assert.deepEqual(
    model.getWeights().map((weight) => Array.from(weight.dataSync())),
    before,
  );
  assert.notDeepEqual(Array.from(dynamic.getWeights()[0].dataSync()), before[0]);
});

test('include leaves convolutions dense', () => {
  const model = branches();
  const dynamic = makeDynamic(model, { mass: 0.9, include: ({ name }) => name === 'mix' });
  const names = dynamic.layers
    .filter((layer) => /^FtwtDynamic/.test(layer.getClassName()))
    .map(({ name }) => name);
  assert.deepEqual(names, ['mix']);
  assert.equal(dynamic.getLayer('stem').getClassName(), 'Conv2D');
});

test('frozen layers keep their weights in place', () => {
  const [model] = smallNetworks();
  model.layers.forEach((layer) => (layer.trainable = false));
  const dynamic = makeDynamic(model, { mass: 0.9 });
  tf.tidy(() => {
    const x = images(model, 2);
    allClose(dynamic.predict(x) as tf.Tensor, model.predict(x) as tf.Tensor, { absolute: 1e-4 });
  });
});

test('making, using and disposing a dynamic network leaks nothing', () => {
  const [model] = smallNetworks();
  const before = tf.memory().numTensors;
  for (let i = 0; i < 3; i++) {
    const dynamic = makeDynamic(model, { mass: 0.9 });
    tf.tidy(() => void forward(dynamic, images(model, 2), true));
    dynamic.dispose();
  }
  assert.equal(tf.memory().numTensors, before);
});

test('what is not supported is named', () => {
  const dense = () => tf.layers.dense({ units: 2 });
  const input = () => tf.input({ shape: [4, 4, 1] });
  const shared = () => {
    const x = input();
    const conv = tf.layers.conv2d({ name: 'twice', filters: 1, kernelSize: 1 });
    return tf.model({ inputs: x, outputs: conv.apply(conv.apply(x)) as tf.SymbolicTensor });
  };
  const nested = () => {
    const x = input();
    const inner = vggSmall({ inputShape: [4, 4, 1], widths: [2] });
    return tf.model({ inputs: x, outputs: inner.apply(x) as tf.SymbolicTensor });
  };
  const flat = () =>
    tf.sequential({ layers: [tf.layers.flatten({ inputShape: [4, 4, 1] }), dense()] });
  const small = () => vggSmall({ inputShape: [4, 4, 1], widths: [2] });
  const cases: [() => unknown, RegExp][] = [
    [() => makeDynamic(shared(), { mass: 0.9 }), /layer "twice" is used at more than one place/],
    [() => makeDynamic(nested(), { mass: 0.9 }), /models inside a model .*"vggSmall"/],
    [() => makeDynamic(flat(), { mass: 0.9 }), /has no convolution to prune/],
    [
      () => makeDynamic(makeDynamic(small(), { mass: 1 }), { mass: 1 }),
      /"conv1" is dynamic already/,
    ],
    [() => makeDynamic(small(), {}), /give either mass or keepRatio/],
    [() => makeDynamic(small(), { mass: 0.5, keepRatio: 0.5 }), /give either mass or keepRatio/],
    [() => makeDynamic(small(), { mass: 1.5 }), /mass must be in \(0, 1\].*got 1.5/],
    [() => makeDynamic(small(), { mass: NaN }), /mass must be in \(0, 1\].*got NaN/],
    [() => makeDynamic(small(), { keepRatio: 0 }), /keepRatio must be in \(0, 1\], got 0/],
    [
      () => makeDynamic(small(), { mass: 1, mode: 'both' as never }),
      /mode must be one of decoupled, joint, got both/,
    ],
    [
      () => makeDynamic(small(), { mass: 1, minActive: -1 }),
      /minActive must be an integer >= 0, got -1/,
    ],
    [
      () => makeDynamic(undefined as never, { mass: 1 }),
      /model must be a tf.LayersModel, got undefined/,
    ],
    [() => makeDynamic(tf.sequential(), { mass: 1 }), /model/],
  ];
  for (const [call, message] of cases) {
    assert.throws(
      call,
      (error) => error instanceof FtwtError && message.test(error.message),
      String(message),
    );
  }
});
