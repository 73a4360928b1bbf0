import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as tf from '@tensorflow/tfjs';
import { countMacs, FtwtError, mobilenetV1, resnet, vgg16Bn, vggSmall } from '../../src/index.js';
import { allClose } from '../allClose.js';

test('MACs and parameters are those of the paper', () => {
  const cases: [tf.LayersModel, number, number][] = [
    [vgg16Bn(), 313_478_144, 14_728_266],
    [resnet({ depth: 56 }), 125_485_760, 853_018],
    [mobilenetV1(), 46_355_456, 3_217_226],
  ];
  for (const [model, total, parameters] of cases) {
    const count = countMacs(model);
    assert.equal(count.total, total, model.name);
    assert.equal(count.parameters, parameters, model.name);
    assert.equal(count.predictors, 0);
    assert.equal(
      count.layers.reduce((sum, { macs }) => sum + macs, 0),
      total,
    );
    model.dispose();
  }
});

test('builders take other sizes, and put out logits', () => {
  const models = [
    vggSmall({ widths: [4, 'M', 6], head: 'average', classes: 3, seed: 1 }),
    vggSmall({ inputShape: [9, 7, 2], widths: [4, 'M', 6], head: 'flatten', classes: 3, seed: 1 }),
    vggSmall({ inputShape: [8, 8, 1], widths: [4], head: 'max', classes: 3, seed: 1 }),
    resnet({ depth: 8, inputShape: [9, 9, 3], classes: 3, seed: 1 }),
    mobilenetV1({ alpha: 0.05, inputShape: [16, 16, 1], classes: 3, seed: 1 }),
    mobilenetV1({ alpha: 0.03, inputShape: [66, 66, 1], classes: 3, seed: 1 }),
  ];
  for (const model of models) {
    const [, h, w, c] = model.inputs[0].shape as number[];
    const y = tf.tidy(() =>
      (model.predict(tf.randomNormal([2, h, w, c], 0, 1, 'float32', 3)) as tf.Tensor).arraySync(),
    );
    assert.deepEqual([(y as number[][]).length, (y as number[][])[0].length], [2, 3]);
    assert.ok((y as number[][]).flat().every(Number.isFinite));
    model.dispose();
  }
});

test('the same seed gives the same weights, another seed others', () => {
  const weights = (seed: number) => {
    const model = resnet({ depth: 8, seed });
    const values = model.getWeights().map((weight) => Array.from(weight.dataSync()));
    model.dispose();
    return values;
  };
  assert.deepEqual(weights(0), weights(0));
  assert.notDeepEqual(weights(0), weights(7));
});

test('the ResNet shortcut takes every other pixel and appends zero channels; it survives saving', async () => {
  const model = resnet({ depth: 8, inputShape: [8, 8, 3], seed: 2 });
  const shortcut = model.getLayer('stage2_block1_shortcut');
  tf.tidy(() => {
    const x = tf.randomNormal([1, 5, 5, 16]);
    const y = shortcut.apply(x) as tf.Tensor;
    assert.deepEqual(y.shape, [1, 3, 3, 32]);
    const pixels = x.stridedSlice([0, 0, 0, 0], [1, 5, 5, 16], [1, 2, 2, 1]);
    allClose(
      y,
      pixels.pad([
        [0, 0],
        [0, 0],
        [0, 0],
        [0, 16],
      ]),
    );
  });
  let saved: tf.io.ModelArtifacts | undefined;
  await model.save(
    tf.io.withSaveHandler(async (artifacts) => {
      saved = artifacts;
      return { modelArtifactsInfo: { dateSaved: new Date(), modelTopologyType: 'JSON' } };
    }),
  );
  const loaded = await tf.loadLayersModel(tf.io.fromMemory(saved!));
  tf.tidy(() => {
    const x = tf.randomNormal([2, 8, 8, 3]);
    allClose(loaded.predict(x) as tf.Tensor, model.predict(x) as tf.Tensor);
  });
  assert.deepEqual(countMacs(loaded), countMacs(model));
});

test('bad options are named', () => {
  const bad: [() => unknown, RegExp][] = [
    [() => resnet({ depth: 10 }), /resnet: depth must be 6n\+2/],
    [
      () => vgg16Bn({ inputShape: [28, 28, 1] }),
      /vgg16Bn: images must be at least 32x32, got 28x28/,
    ],
    [() => vgg16Bn({ classes: 0 }), /vgg16Bn: classes must be a positive integer, got 0/],
    [() => vgg16Bn({ seed: -1 }), /vgg16Bn: seed must be an integer >= 0, got -1/],
    [() => vgg16Bn({ inputShape: [32, 32] as never }), /inputShape must be \[h, w, c\]/],
    [() => mobilenetV1({ alpha: 0 }), /alpha must be in \(0, 4\], got 0/],
    [() => mobilenetV1({ alpha: NaN }), /alpha must be in \(0, 4\], got NaN/],
    [() => vggSmall({ widths: ['M'] }), /widths must be channel counts and 'M'/],
    [() => vggSmall({ head: 'mean' as never }), /head must be 'average', 'max' or 'flatten'/],
  ];
  for (const [call, message] of bad) {
    assert.throws(call, (error) => error instanceof FtwtError && message.test(error.message));
  }
});
