import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as tf from '@tensorflow/tfjs';
import {
  countMacs,
  estimateMacs,
  FtwtError,
  makeDynamic,
  massForBudget,
  MacsMeter,
  measureMacs,
  recordMasks,
  resnet,
  vggSmall,
  type LayerMacs,
  type MaskRecord,
} from '../../src/index.js';
import { allClose } from '../allClose.js';
import { forward, images, randomized, scatterPredictors, smallNetworks } from './networks.js';

/** Small kernels and large shifts: an active channel is never zero by chance. */
function lively(model: tf.LayersModel): tf.LayersModel {
  tf.tidy(() =>
    model.weights.forEach((weight) => {
      if (/predictor|moving/.test(weight.originalName)) return;
      const value = weight.read();
      weight.write(/bias|beta/.test(weight.originalName) ? value.abs().add(2) : value.mul(0.05));
    }),
  );
  return model;
}

/** The first tensor that a layer reads. */
const inputOf = (layer: tf.layers.Layer) =>
  (Array.isArray(layer.input) ? layer.input[0] : layer.input) as tf.SymbolicTensor;

/** Layers that read a residual sum: counted as dense, although some channels of a sum may be zero. */
const readsSum = (model: string, layer: string) =>
  /^resnet/.test(model) &&
  /^(stage\d_block\d_conv1|classifier)$/.test(layer) &&
  layer !== 'stage1_block1_conv1';

/** MACs per image, from what is zero in the tensors that a layer reads, and from its own mask. */
function countedByZeros(model: tf.LayersModel, x: tf.Tensor4D, records: MaskRecord[]): number[] {
  const totals = new Array<number>(x.shape[0]).fill(0);
  for (const { name, kind, macs, predictorMacs, outputShape } of countMacs(model).layers) {
    const layer = model.getLayer(name);
    const probe = tf.model({ inputs: model.inputs, outputs: inputOf(layer) });
    const input = probe.apply(x) as tf.Tensor;
    const record = records.find((candidate) => candidate.layer === layer);
    const [kernel, bias] = layer.weights.map(({ shape }) => shape as number[]);
    for (let n = 0; n < totals.length; n++) {
      const image = readsSum(model.name, name)
        ? tf.onesLike(input).slice([n], [1])
        : input.slice([n], [1]);
      if (kind === 'dense') {
        const nonZero = image.notEqual(0).sum().dataSync()[0];
        totals[n] += nonZero * outputShape[0];
        continue;
      }
      if (record === undefined) {
        totals[n] += macs;
        continue;
      }
      const inputs = Array.from(image.abs().max([0, 1, 2]).greater(0).dataSync());
      const outputs = Array.from(record.mask.slice([n], [1]).dataSync());
      const pixels = outputShape[0] * outputShape[1];
      const taps = kernel[0] * kernel[1];
      const withBias =
        bias.length === 1 && (layer.getConfig() as { useBias: boolean }).useBias ? 1 : 0;
      outputs.forEach((active, o) => {
        if (!active) return;
        const read =
          kind === 'conv'
            ? inputs.reduce((sum, value) => sum + value, 0)
            : inputs[Math.floor((o * inputs.length) / outputs.length)];
        totals[n] += pixels * (taps * read + withBias);
      });
      totals[n] += predictorMacs;
    }
  }
  return totals;
}

test('skippable MACs are those that the zeros in the tensors allow', () => {
  for (const model of smallNetworks()) {
    const dynamic = lively(makeDynamic(model, { mass: 0.9 }));
    scatterPredictors(dynamic);
    const x = images(model, 3);
    const { perSample, macsReduction, denseMacs, samples } = measureMacs(dynamic, x, {
      batchSize: 2,
    });
    const expected = tf.tidy(() => countedByZeros(dynamic, x, forward(dynamic, x).records));
    allClose(perSample.skippable, expected, {}, model.name);
    assert.equal(samples, 3);
    assert.equal(denseMacs, countMacs(model).total);
    const mean = expected.reduce((sum, value) => sum + value, 0) / 3;
    allClose([macsReduction.skippable], [1 - mean / denseMacs]);
    assert.ok(macsReduction.published > 0.1, `${model.name}: the masks save nothing`);
    x.dispose();
  }
});

test('published MACs follow the chain of masked layers, residual sums included', () => {
  // In these networks every counted layer reads, as the paper counts, the mask before it.
  for (const model of smallNetworks().slice(0, 3)) {
    const dynamic = makeDynamic(model, { mass: 0.9 });
    scatterPredictors(dynamic);
    tf.tidy(() => {
      const x = images(model, 1);
      const { records } = forward(dynamic, x);
      const byLayer = new Map(
        records.map(({ layer, mask }) => [layer.name, mask.sum().dataSync()[0]]),
      );
      let before: number | undefined;
      const cost = ({ name, kind, macs, outputShape }: LayerMacs) => {
        const channels = outputShape.at(-1)!;
        const share = before ?? 1;
        if (kind === 'pooling') return macs;
        if (kind === 'dense') return macs * share;
        const own = byLayer.get(name)! / channels;
        before = own;
        return macs * own * share;
      };
      const expected = countMacs(dynamic).layers.reduce((sum, layer) => sum + cost(layer), 0);
      allClose(measureMacs(dynamic, x).perSample.published, [expected], {}, model.name);
    });
  }
});

test('with all channels active nothing is saved, and predictors cost', () => {
  for (const model of smallNetworks()) {
    const dynamic = makeDynamic(model, { mass: 0.9 });
    const x = images(model, 2);
    const { macsReduction, denseMacs, layers } = measureMacs(dynamic, x);
    allClose([macsReduction.published], [0]);
    allClose([macsReduction.skippable], [-countMacs(dynamic).predictors / denseMacs]);
    assert.ok(layers.every(({ keepRatio }) => keepRatio === 1));
    x.dispose();
  }
});

test('the estimate applies the target rule to the dense activations', () => {
  const model = randomized(
    vggSmall({ inputShape: [8, 8, 2], widths: [6, 'M', 8], head: 'flatten', classes: 3, seed: 1 }),
  );
  const x = images(model, 70);
  for (const rule of [
    { mass: 0.7 },
    { keepRatio: 0.5 },
    { mass: 0.6, crossing: 'include' as const },
  ]) {
    const estimate = estimateMacs(model, x, rule);
    const [conv1] = estimate.layers;
    tf.tidy(() => {
      const activation = tf.model({
        inputs: model.inputs,
        outputs: model.getLayer('conv1_relu').output,
      });
      const saliency = (activation.predict(x) as tf.Tensor4D)
        .abs()
        .max([1, 2])
        .arraySync() as number[][];
      const counts = saliency.map((row) => activeByHand(row, rule));
      const expected = counts.reduce((sum, count) => sum + count, 0) / counts.length / 6;
      allClose([conv1.keepRatio], [expected], {}, JSON.stringify(rule));
    });
    assert.equal(estimate.samples, 70);
    assert.equal(estimate.mass, rule.mass);
    assert.equal(estimate.keepRatio, rule.keepRatio);
    const { skippable, published } = estimate.macsReduction;
    assert.ok(published > 0.2 && skippable < published && skippable > 0);
  }
  x.dispose();
});

function activeByHand(
  saliency: number[],
  { mass, keepRatio, crossing }: { mass?: number; keepRatio?: number; crossing?: 'include' },
): number {
  const sorted = saliency.filter((value) => value > 1e-5).sort((a, b) => b - a);
  if (keepRatio !== undefined)
    return Math.min(sorted.length, Math.round(keepRatio * saliency.length));
  const total = saliency.reduce((sum, value) => sum + value, 0);
  let sum = 0;
  let count = 0;
  while (count < sorted.length && (sum + sorted[count]) / total <= mass! + 1e-5)
    sum += sorted[count++];
  if (crossing === 'include' && count < sorted.length) count++;
  return Math.max(1, count);
}

test('massForBudget finds the largest mass that saves enough', () => {
  const model = randomized(resnet({ depth: 8, inputShape: [8, 8, 3], classes: 3, seed: 1 }));
  const x = images(model, 6);
  for (const metric of ['skippable', 'published'] as const) {
    const reduction = 0.3;
    const { mass, estimate } = massForBudget(model, x, { reduction, metric });
    assert.ok(estimate.macsReduction[metric] >= reduction);
    assert.deepEqual(estimate, estimateMacs(model, x, { mass }));
    const above = estimateMacs(model, x, { mass: mass + 1e-4 }).macsReduction[metric];
    assert.ok(above < reduction, `${metric}: mass ${mass} is not the largest (${above})`);
  }
  assert.equal(massForBudget(model, x, { reduction: 1e-6, metric: 'published' }).mass <= 1, true);
  assert.throws(
    () => massForBudget(model, x, { reduction: 0.9999 }),
    (error) =>
      error instanceof FtwtError &&
      /no mass reaches a skippable reduction of 0.9999/.test(error.message),
  );
  x.dispose();
});

test('a meter adds up batches, and knows which channel fires for which class', () => {
  const [model] = smallNetworks();
  const dynamic = makeDynamic(model, { mass: 0.9 });
  scatterPredictors(dynamic);
  const x = images(model, 5);
  const labels = [0, 2, 0, 2, 2];
  const once = measureMacs(dynamic, x, { labels });
  const meter = new MacsMeter(dynamic);
  tf.tidy(() => {
    const { records } = recordMasks(() => dynamic.predict(x, { batchSize: 2 }));
    const { skippable } = meter.add(records, labels);
    allClose(skippable, once.perSample.skippable);
    const { perSample, ...summary } = once;
    assert.equal(perSample.published.length, 5);
    assert.deepEqual(meter.summary(), summary);

    const mask = forward(dynamic, x).records[0].mask;
    const { firingRate, classFiringRate, keepRatio } = once.layers[0];
    allClose(firingRate!, mask.mean(0).dataSync());
    allClose([keepRatio], mask.mean().dataSync());
    assert.equal(classFiringRate!.length, 3);
    allClose(classFiringRate![0], mask.gather([0, 2]).mean(0).dataSync());
    allClose(classFiringRate![1], new Array(5).fill(0));
    allClose(classFiringRate![2], mask.gather([1, 3, 4]).mean(0).dataSync());
  });
  x.dispose();
});

test('estimates and measurements leave no tensors behind', () => {
  const [model] = smallNetworks();
  const dynamic = makeDynamic(model, { mass: 0.9 });
  const x = images(model, 4);
  const before = tf.memory().numTensors;
  estimateMacs(model, x, { mass: 0.8 });
  massForBudget(model, x, { reduction: 0.2 });
  measureMacs(dynamic, x, { batchSize: 3 });
  assert.throws(() => measureMacs(dynamic, x, { batchSize: 3, labels: [0, 0, 0, 9] }), FtwtError);
  assert.equal(tf.memory().numTensors, before);
  x.dispose();
});

test('what does not fit is named', () => {
  const model = vggSmall({ inputShape: [4, 4, 1], widths: [2], classes: 3 });
  const dynamic = makeDynamic(model, { mass: 0.9 });
  const x = tf.zeros<tf.Rank.R4>([2, 4, 4, 1]);
  const lstm = tf.sequential({
    name: 'recurrent',
    layers: [tf.layers.lstm({ units: 2, inputShape: [3, 1], name: 'memory' })],
  });
  const anySize = tf.sequential({
    layers: [
      tf.layers.conv2d({ inputShape: [null, null, 1], filters: 1, kernelSize: 1, name: 'any' }),
    ],
  });
  const cases: [() => unknown, RegExp][] = [
    [() => countMacs(lstm), /countMacs: cannot count the MACs of layer "memory" \(LSTM\)/],
    [
      () => countMacs(anySize),
      /countMacs: needs fixed sizes, but layer "any" puts out \[\?, \?, \?, 1\]/,
    ],
    [() => countMacs({} as never), /model must be a tf.LayersModel, got Object/],
    [() => estimateMacs(model, x, {}), /estimateMacs: give either mass or keepRatio/],
    [
      () => estimateMacs(model, x, undefined as never),
      /estimateMacs: give either mass or keepRatio/,
    ],
    [() => estimateMacs(model, x, { mass: 2 }), /estimateMacs: mass must be in/],
    [() => estimateMacs(dynamic, x, { mass: 1 }), /"conv1" is dynamic already/],
    [() => massForBudget(model, x, { reduction: 1 }), /reduction must be in \(0, 1\), got 1/],
    [
      () => massForBudget(model, x, { reduction: 0.5, metric: 'flops' as never }),
      /metric must be skippable or published/,
    ],
    [() => measureMacs(model, x), /model "vggSmall" has no dynamic layer/],
    [
      () => measureMacs(dynamic, x, { batchSize: 0 }),
      /batchSize must be a positive integer, got 0/,
    ],
    [() => measureMacs(dynamic, x, { labels: [1] }), /expected 2 labels, got 1/],
    [
      () => measureMacs(dynamic, x, { labels: [1, 3] }),
      /labels must be integers from 0 to 2, got 3/,
    ],
    [() => new MacsMeter(dynamic).summary(), /no image to report on/],
    [() => new MacsMeter(dynamic).add([]), /no mask of layer "conv1"/],
  ];
  for (const [call, message] of cases) {
    assert.throws(
      call,
      (error) => error instanceof FtwtError && message.test(error.message),
      String(message),
    );
  }
});
