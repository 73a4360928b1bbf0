import assert from 'node:assert/strict';
import { beforeEach, test } from 'node:test';
import * as tf from '@tensorflow/tfjs';
import {
  cosineSchedule,
  evaluate,
  fit,
  stepSchedule,
  type Dataset,
  type FitOptions,
  type FtwtError,
  type StepProgress,
} from '../../src/index.js';
import { assertSameWeights, tinyDataset, tinyModel, tinyOptions, weightsOf } from './tiny.js';
import { allClose } from '../allClose.js';

beforeEach(() => tf.setBackend('native'));

test('a separable problem is learnt in a few hundred steps', async () => {
  const model = tinyModel();
  const history = await fit(model, tinyDataset(), {
    ...tinyOptions,
    epochs: 25,
    learningRate: cosineSchedule(0.1, { epochs: 25, warmupEpochs: 1 }),
    evaluateEvery: 25,
  });
  assert.equal(history.steps, 150);
  const last = history.epochs.at(-1)!;
  assert.ok(last.test!.accuracy > 0.9, `accuracy ${last.test!.accuracy}`);
  assert.ok(last.loss < history.epochs[0].loss / 2);
});

test('the same seed gives the same weights bit for bit, another seed others', async () => {
  const run = async (options: Partial<FitOptions>) => {
    const model = tinyModel();
    await fit(model, tinyDataset(), { ...tinyOptions, ...options });
    return weightsOf(model);
  };
  const first = await run({});
  assert.deepEqual(await run({}), first);
  assert.notDeepEqual(await run({ seed: 8 }), first);
});

test('one step is SGD with momentum on the mean cross entropy of a batch', async () => {
  const dataset = tinyDataset(16);
  const [model, twin] = [tinyModel(), tinyModel()];
  const history = await fit(model, dataset, {
    epochs: 1,
    batchSize: 16,
    learningRate: 0.5,
    weightDecay: 0,
    mean: [0],
    std: [1],
  });
  twin.compile({
    optimizer: tf.train.sgd(0.5),
    loss: (labels, logits) => tf.losses.softmaxCrossEntropy(labels, logits),
  });
  const x = tf.tensor4d(
    Float32Array.from(dataset.train.images, (byte) => byte / 255),
    [16, 8, 8, 1],
  );
  const y = tf.oneHot(tf.tensor1d(Int32Array.from(dataset.train.labels), 'int32'), 3);
  const loss = await twin.trainOnBatch(x, y);
  allClose([history.epochs[0].loss], [loss as number]);
  // Weights and batch norm's moving statistics.
  model.getWeights().forEach((weight, i) => allClose(weight, twin.getWeights()[i], {}, `${i}`));
});

test('history entries: means over images, learning rates, evaluations where asked', async () => {
  const dataset = tinyDataset(40);
  const seen: StepProgress[] = [];
  const calls: string[] = [];
  const history = await fit(tinyModel(), dataset, {
    ...tinyOptions,
    epochs: 3,
    learningRate: stepSchedule(0.1, { milestones: [2] }),
    evaluateEvery: 2,
    reporter: {
      onStart: ({ stepsPerEpoch }) => calls.push(`start ${stepsPerEpoch}`),
      onStep: (progress) => seen.push(progress),
      onEpoch: ({ epoch }) => calls.push(`epoch ${epoch}`),
      onEnd: ({ interrupted }) => calls.push(`end ${interrupted}`),
    },
  });
  assert.deepEqual(calls, ['start 3', 'epoch 0', 'epoch 1', 'epoch 2', 'end false']);
  assert.deepEqual(
    history.epochs.map(({ test }) => test !== undefined),
    [false, true, true],
  );
  allClose(
    history.epochs.map(({ learningRate }) => learningRate),
    [0.1, 0.1, 0.01],
  );
  assert.deepEqual(
    history.epochs.map(({ step }) => step),
    [3, 6, 9],
  );
  for (const {
    trainAccuracy,
    imagesPerSecond,
    maskLoss,
    layers,
    loss,
    taskLoss,
  } of history.epochs) {
    assert.ok(Number.isInteger(Math.round(trainAccuracy * 40 * 1e6) / 1e6));
    assert.ok(imagesPerSecond > 0);
    assert.equal(maskLoss, 0);
    assert.equal(loss, taskLoss);
    assert.deepEqual(layers, []);
  }
  assert.equal(seen.length, 9);
  assert.deepEqual([seen[3].epoch, seen[3].step, seen[3].totalSteps], [1, 1, 4]);
});

test('weight regularisers of layers are part of the loss', async () => {
  const model = tf.sequential({
    layers: [
      tf.layers.flatten({ inputShape: [8, 8, 1] }),
      tf.layers.dense({
        units: 3,
        kernelInitializer: 'ones',
        kernelRegularizer: tf.regularizers.l2({ l2: 0.5 }),
      }),
    ],
  });
  const { epochs } = await fit(model, tinyDataset(16), {
    epochs: 1,
    batchSize: 16,
    learningRate: 0,
  });
  allClose([epochs[0].loss - epochs[0].taskLoss], [0.5 * 64 * 3]);
});

test('evaluate: accuracy and loss, whatever the batch size; normalisation comes with the model', async () => {
  const model = tinyModel();
  const dataset = tinyDataset();
  const { epochs } = await fit(model, dataset, tinyOptions);
  const whole = await evaluate(model, dataset.test, { batchSize: 30 });
  const parts = await evaluate(model, dataset.test, { batchSize: 7 });
  assert.equal(whole.accuracy, parts.accuracy);
  allClose([whole.loss], [parts.loss]);
  assert.equal(epochs[1].test!.accuracy, whole.accuracy);
  allClose([epochs[1].test!.loss], [whole.loss]);
  await assert.rejects(evaluate(tinyModel(), dataset.test), /mean and std are needed/);
  await assert.rejects(evaluate(model, dataset.test, { signal: AbortSignal.abort() }), {
    name: 'AbortError',
  });
});

test('memory is flat over 200 steps, and fit leaves nothing behind', async () => {
  const model = tinyModel();
  const dataset = tinyDataset(400);
  model.predict(tf.zeros([1, 8, 8, 1])); // builds what tfjs builds once
  const before = tf.memory().numTensors;
  const during = new Set<number>();
  await fit(model, dataset, {
    ...tinyOptions,
    batchSize: 4,
    evaluateEvery: 1,
    reporter: {
      onStep({ step }) {
        if (step % 10 === 0) during.add(tf.memory().numTensors);
      },
    },
  });
  assert.equal(during.size, 1, [...during].join(', '));
  assert.equal(tf.memory().numTensors, before);
});

test('an aborted run ends after the step at work; nothing leaks', async () => {
  const model = tinyModel();
  const dataset = tinyDataset();
  const before = tf.memory().numTensors;
  const controller = new AbortController();
  const history = await fit(model, dataset, {
    ...tinyOptions,
    signal: controller.signal,
    reporter: {
      onStep: ({ totalSteps }) => {
        if (totalSteps === 8) controller.abort();
      },
    },
  });
  assert.equal(history.interrupted, true);
  assert.equal(history.steps, 8);
  assert.equal(history.epochs.length, 1);
  assert.equal(tf.memory().numTensors, before);
});

test('a loss that is no number stops training, naming step and learning rate', async () => {
  const model = tinyModel();
  const before = tf.memory().numTensors;
  const told: unknown[] = [];
  const reporter = { onError: (error: unknown) => told.push(error) };
  await assert.rejects(
    fit(model, tinyDataset(), { ...tinyOptions, epochs: 20, learningRate: 1e30, reporter }),
    (error: FtwtError) => {
      assert.deepEqual(told, [error]);
      assert.equal(error.code, 'INVALID_ARGUMENT');
      assert.match(
        error.message,
        /diverged at step \d+ \(learning rate 1e\+30\): the loss is (NaN|Inf)/,
      );
      return true;
    },
  );
  assert.equal(tf.memory().numTensors, before);
});

test('what does not fit is refused before anything changes', async () => {
  const model = tinyModel();
  const untouched = tinyModel();
  const dataset = tinyDataset();
  const invalid = async (
    message: RegExp,
    options: Partial<FitOptions>,
    data: Dataset = dataset,
    trained: tf.LayersModel = model,
  ) =>
    assert.rejects(fit(trained, data, { ...tinyOptions, ...options }), (error: FtwtError) => {
      assert.equal(error.code, 'INVALID_ARGUMENT', error.stack);
      assert.match(error.message, message);
      return true;
    });
  const { train } = dataset;
  await invalid(/batchSize must be at most the 96 training images, got 97/, { batchSize: 97 });
  await invalid(/batchSize must be an integer >= 1, got 0/, { batchSize: 0 });
  await invalid(/epochs must be an integer >= 1, got 0.5/, { epochs: 0.5 });
  await invalid(/cooldown must be a number from 0 to 1, got 2/, { cooldown: 2 });
  await invalid(/learningRate must be a finite number >= 0, got NaN/, { learningRate: NaN });
  await invalid(/schedule must give a finite number >= 0, got -1 for step 0/, {
    learningRate: () => -1,
  });
  await invalid(/momentum must be a number in \[0, 1\), got 1/, { momentum: 1 });
  await invalid(/labelSmoothing must be a number in \[0, 1\), got 1/, { labelSmoothing: 1 });
  await invalid(/std must be > 0/, { mean: [0], std: [0] });
  await invalid(/mean must be 1 finite numbers/, { mean: [0, 0, 0], std: [1, 1, 1] });
  await invalid(/resume needs checkpoints/, { resume: true });
  await invalid(
    /takes images of \[8,8,1\], got \[4,16,1\]/,
    {},
    {
      ...dataset,
      train: { ...train, shape: [4, 16, 1] },
    },
  );
  await invalid(
    /at least one image, got count 0/,
    {},
    {
      ...dataset,
      train: { ...train, count: 0, images: new Uint8Array(0), labels: new Uint8Array(0) },
    },
  );
  await invalid(
    /labels must be in \[0, 3\), the model's classes, got 3 at index 5/,
    {},
    {
      ...dataset,
      train: { ...train, labels: train.labels.map((label, i) => (i === 5 ? 3 : label)) },
    },
  );
  const flat = tf.sequential({ layers: [tf.layers.dense({ units: 3, inputShape: [64] })] });
  await invalid(
    /input must be \[batch, h, w, c\] with any batch, got \[any,64\]/,
    {},
    dataset,
    flat,
  );
  const map = tf.sequential({
    layers: [tf.layers.conv2d({ inputShape: [8, 8, 1], filters: 3, kernelSize: 1 })],
  });
  await invalid(/output must be logits \[batch, classes\], got \[any,8,8,3\]/, {}, dataset, map);
  assertSameWeights(model, untouched);
});

test('a model that is disposed while in use is an error, and nothing leaks', async () => {
  const disposed = (error: FtwtError) => {
    assert.equal(error.code, 'INVALID_ARGUMENT', error.stack);
    assert.match(error.message, /^(fit|evaluate): the model is disposed \(weight /);
    return true;
  };
  const dataset = tinyDataset();
  const before = tf.memory().numTensors;
  const model = tinyModel();
  const reporter = {
    onStep: ({ totalSteps }: StepProgress) => {
      if (totalSteps === 3) model.dispose();
    },
  };
  await assert.rejects(fit(model, dataset, { ...tinyOptions, reporter }), disposed);
  await assert.rejects(fit(model, dataset, tinyOptions), disposed);

  const evaluated = tinyModel();
  const settings = { mean: [0], std: [1] };
  const evaluation = evaluate(evaluated, dataset.test, { ...settings, batchSize: 10 });
  evaluated.dispose();
  await assert.rejects(evaluation, disposed);
  await assert.rejects(evaluate(evaluated, dataset.test, settings), disposed);
  assert.equal(tf.memory().numTensors, before);
});
