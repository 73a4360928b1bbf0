import assert from 'node:assert/strict';
import { beforeEach, test } from 'node:test';
import * as tf from '@tensorflow/tfjs';
import {
  evaluate,
  fit,
  isPredictorWeight,
  layers,
  loadModel,
  makeDynamic,
  measureMacs,
  saveModel,
  type FitOptions,
} from '../../src/index.js';
import { temporaryFolder } from '../temporaryFolder.js';
import { assertSameWeights, tinyDataset, tinyModel, tinyOptions } from './tiny.js';

beforeEach(() => tf.setBackend('native'));

const dynamicModel = (mode: 'decoupled' | 'joint' = 'decoupled', seed = 1) =>
  makeDynamic(tinyModel(seed), { mass: 0.7, mode });

/** Copies of the trainable weights of one group. */
function group(model: tf.LayersModel, predictors: boolean): Float32Array[] {
  return model.trainableWeights
    .filter((weight) => isPredictorWeight(weight) === predictors)
    .map((weight) => weight.read().dataSync<'float32'>().slice());
}

test('predictors learn their target masks, and the history tells how well', async () => {
  const model = dynamicModel();
  const { epochs } = await fit(model, tinyDataset(), { ...tinyOptions, epochs: 8, cooldown: 1 });
  const [first, last] = [epochs[0], epochs[7]];
  assert.deepEqual(
    last.layers.map(({ channels }) => channels),
    [4],
  );
  assert.ok(model.layers.some(({ name }) => name === last.layers[0].name));
  assert.ok(first.layers[0].keepRatio > last.layers[0].keepRatio);
  assert.ok(last.layers[0].maskAccuracy > first.layers[0].maskAccuracy);
  assert.ok(last.layers[0].maskAccuracy > 0.8, `mask accuracy ${last.layers[0].maskAccuracy}`);
  assert.ok(last.maskLoss < first.maskLoss);
  for (const { loss, taskLoss, maskLoss } of epochs) {
    assert.ok(Math.abs(loss - (taskLoss + maskLoss)) < 1e-5);
  }
});

test('evaluate counts what the masks save, as measureMacs does; fit notes it per epoch', async () => {
  const model = dynamicModel();
  const dataset = tinyDataset();
  const { epochs, mean, std } = await fit(model, dataset, { ...tinyOptions, cooldown: 1 });
  const before = tf.memory().numTensors;
  const evaluation = await evaluate(model, dataset.test, { batchSize: 7 });
  assert.equal(tf.memory().numTensors, before);
  const { images, labels, count } = dataset.test;
  const x = tf.tidy(() =>
    tf.tensor4d(
      Float32Array.from(images, (byte) => (byte / 255 - mean[0]) / std[0]),
      [count, 8, 8, 1],
    ),
  );
  const measured = measureMacs(model, x, { labels });
  const { perSample, ...summary } = measured;
  assert.deepEqual(evaluation.macs, summary);
  assert.deepEqual(evaluation.sampleMacs, perSample);
  assert.deepEqual(epochs[1].test!.macsReduction, summary.macsReduction);
  const predicted = tf.tidy(() => (model.predict(x) as tf.Tensor).argMax(1).dataSync());
  assert.deepEqual(evaluation.predicted, Int32Array.from(predicted));
  assert.equal((await evaluate(model, dataset.test, { macs: false })).macs, undefined);
});

test('a dynamic model whose MACs cannot be counted is trained all the same, with a warning', async () => {
  const model = tf.sequential({
    layers: [
      layers.dynamicConv2d({ inputShape: [null!, null!, 1], filters: 2, kernelSize: 3, mass: 0.8 }),
      tf.layers.globalAveragePooling2d({}),
      tf.layers.dense({ units: 3 }),
    ],
  });
  const warnings: string[] = [];
  const reporter = { onWarning: (message: string) => void warnings.push(message) };
  const { epochs } = await fit(model, tinyDataset(16), { ...tinyOptions, epochs: 1, reporter });
  assert.equal(warnings.length, 1);
  assert.match(warnings[0], /^Evaluations go without MACs: /);
  assert.equal(epochs[0].test!.macsReduction, undefined);
});

test('from the cooldown on, predictors are frozen and the mask loss is only measured', async () => {
  const model = dynamicModel();
  const snapshots: { predictors: Float32Array[]; backbone: Float32Array[] }[] = [];
  const { epochs } = await fit(model, tinyDataset(), {
    ...tinyOptions,
    epochs: 4,
    cooldown: 0.5,
    reporter: {
      onEpoch: () =>
        void snapshots.push({ predictors: group(model, true), backbone: group(model, false) }),
    },
  });
  assert.notDeepEqual(snapshots[0].predictors, snapshots[1].predictors);
  assert.deepEqual(snapshots[2], { ...snapshots[2], predictors: snapshots[1].predictors });
  assert.deepEqual(snapshots[3].predictors, snapshots[1].predictors);
  assert.notDeepEqual(snapshots[2].backbone, snapshots[3].backbone);
  for (const { loss, taskLoss, maskLoss } of epochs.slice(2)) {
    assert.equal(loss, taskLoss);
    assert.ok(maskLoss > 0);
  }
});

test('predictors have their own learning rate and no weight decay', async () => {
  const before = dynamicModel();
  const train = async (options: Partial<FitOptions>) => {
    const model = dynamicModel();
    await fit(model, tinyDataset(16), { ...tinyOptions, epochs: 1, cooldown: 1, ...options });
    return model;
  };
  const frozenBackbone = await train({ learningRate: 0 });
  assert.deepEqual(group(frozenBackbone, false), group(before, false));
  assert.notDeepEqual(group(frozenBackbone, true), group(before, true));
  const frozenPredictors = await train({ predictorLearningRate: 0 });
  assert.deepEqual(group(frozenPredictors, true), group(before, true));
  assert.notDeepEqual(group(frozenPredictors, false), group(before, false));
  const decayed = await train({ learningRate: 0, weightDecay: 1 });
  assert.deepEqual(group(decayed, true), group(frozenBackbone, true));
});

test('decoupled: the mask loss never reaches the backbone', async () => {
  const train = async (maskWeight: number) => {
    const model = dynamicModel();
    // One step: later ones see masks of predictors that have learnt differently.
    await fit(model, tinyDataset(16), { ...tinyOptions, epochs: 1, cooldown: 1, maskWeight });
    return group(model, false);
  };
  assert.deepEqual(await train(1), await train(0));
});

test('a dynamic run resumes bit for bit, also across the cooldown', async () => {
  const options: FitOptions = { ...tinyOptions, epochs: 4 };
  const expected = dynamicModel();
  await fit(expected, tinyDataset(), options);
  const checkpoints = { directory: temporaryFolder() };
  for (const stop of [4, 11, 15]) {
    const controller = new AbortController();
    await fit(dynamicModel('decoupled', stop === 4 ? 1 : stop), tinyDataset(), {
      ...options,
      checkpoints,
      resume: stop !== 4,
      signal: controller.signal,
      reporter: {
        onStep: ({ totalSteps }) => {
          if (totalSteps === stop) controller.abort();
        },
      },
    });
  }
  const model = dynamicModel('decoupled', 5);
  await fit(model, tinyDataset(), { ...options, checkpoints, resume: true });
  assertSameWeights(model, expected);
});

for (const mode of ['decoupled', 'joint'] as const) {
  test(`memory is flat while a dynamic model trains, ${mode}`, async () => {
    const model = dynamicModel(mode);
    tf.dispose(model.predict(tf.zeros([1, 8, 8, 1])));
    const before = tf.memory().numTensors;
    const during = new Set<number>();
    await fit(model, tinyDataset(), {
      ...tinyOptions,
      batchSize: 4,
      reporter: {
        onStep({ step }) {
          // Metrics are read every ten steps: in between, a few more tensors wait.
          if (step % 10 === 0) during.add(tf.memory().numTensors);
        },
      },
    });
    assert.equal(during.size, 1, [...during].join(', '));
    assert.equal(tf.memory().numTensors, before);
  });
}

test('a trained dynamic model survives saving and loading', async () => {
  const folder = temporaryFolder();
  const model = dynamicModel();
  await fit(model, tinyDataset(), { ...tinyOptions, epochs: 1 });
  await saveModel(model, folder);
  const loaded = await loadModel(folder);
  assertSameWeights(loaded, model);
  const x = tf.randomUniform([2, 8, 8, 1], 0, 1, 'float32', 1);
  assert.deepEqual(
    (loaded.predict(x) as tf.Tensor).dataSync(),
    (model.predict(x) as tf.Tensor).dataSync(),
  );
});
