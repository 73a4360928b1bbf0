/** Training gives the same on every device, without a leak. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as tf from '@tensorflow/tfjs';
import {
  evaluate,
  fit,
  makeDynamic,
  resnet,
  setDevice,
  syntheticDataset,
  type EpochEntry,
} from '../../src/index.js';
import { allClose } from '../allClose.js';
import { backendsUnderTest } from '../devices.js';

const inputShape: [number, number, number] = [8, 8, 3];
const dataset = syntheticDataset({
  classes: 3,
  shape: inputShape,
  count: 48,
  testCount: 16,
  seed: 1,
});

interface Outcome {
  losses: number[];
  keepRatios: number[];
  accuracy: number;
}

/** Six steps of a dynamic ResNet-8, four with learning predictors. */
async function train(device: string): Promise<Outcome> {
  await setDevice(device);
  const before = tf.memory().numTensors;
  const dense = resnet({ depth: 8, inputShape, classes: 3, seed: 1 });
  const model = makeDynamic(dense, { mass: 0.6 });
  const { epochs } = await fit(model, dataset, {
    epochs: 2,
    batchSize: 16,
    learningRate: 0.02,
    predictorLearningRate: 30,
    cooldown: 0.34,
    augment: { padCrop: 1, flip: true },
    seed: 7,
    evaluateEvery: 0,
  });
  const { accuracy } = await evaluate(model, dataset.test);
  dense.dispose();
  model.dispose();
  assert.equal(tf.memory().numTensors, before, `${device}: tensors leaked`);
  const losses = epochs.flatMap(({ taskLoss, maskLoss }: EpochEntry) => [taskLoss, maskLoss]);
  const keepRatios = epochs.flatMap(({ layers }) => layers.map(({ keepRatio }) => keepRatio));
  return { losses, keepRatios, accuracy };
}

test('a dynamic ResNet-8 has the same losses and masks on every device', async () => {
  const expected = await train('native');
  assert.ok(
    expected.keepRatios.some((ratio) => ratio < 1),
    'masks prune something',
  );
  for (const device of backendsUnderTest().filter((name) => name !== 'native')) {
    const actual = await train(device);
    allClose(actual.losses, expected.losses, { relative: 1e-3 }, `${device}, losses`);
    allClose(actual.keepRatios, expected.keepRatios, { absolute: 0.02 }, `${device}, masks`);
    assert.equal(actual.accuracy, expected.accuracy, device);
  }
});
