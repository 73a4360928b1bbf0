/** From the results of a demo run to its report. */
import sharp from 'sharp';
import type { Split } from '../../data/index.js';
import { countMacs } from '../../pruning/index.js';
import type { EpochReport, LayerReport, RunReport, SampleReport } from '../../report/index.js';
import type { EpochEntry, Evaluation } from '../../train/index.js';
import { demoRecipe } from '../demoRecipe.js';
import { describeMachine } from '../machine.js';
import { packageCommit, packageVersion } from '../package.js';
import type { DemoResults, DemoRun } from './phases.js';

export async function buildReport(
  name: string,
  { settings, dataset, clock }: DemoRun,
  { dense, dynamic, estimate, speed }: DemoResults,
): Promise<RunReport> {
  const macs = countMacs(dense.model);
  const measured = dynamic.test.macs!;
  const seconds = clock.seconds();
  return {
    name,
    created: new Date().toISOString(),
    version: packageVersion(),
    commit: await packageCommit(),
    data: {
      name: dataset.name,
      classes: dataset.classes,
      trainCount: dataset.train.count,
      testCount: dataset.test.count,
      shape: dataset.train.shape,
    },
    model: dense.model.name,
    dense: {
      accuracy: dense.test.accuracy,
      loss: dense.test.loss,
      macs: macs.total,
      parameters: macs.parameters,
      history: dense.history.epochs.map(epochReport),
    },
    estimated: {
      mass: estimate.mass!,
      calibrationImages: estimate.samples,
      macsReduction: estimate.macsReduction,
    },
    dynamic: {
      accuracy: dynamic.test.accuracy,
      loss: dynamic.test.loss,
      mass: estimate.mass!,
      mode: settings.mode,
      macs: measured.dynamicMacs.skippable,
      macsReduction: measured.macsReduction,
      history: dynamic.history.epochs.map(epochReport),
    },
    layers: measured.layers.flatMap((layer): LayerReport[] => {
      const predicted = estimate.layers.find(({ name }) => name === layer.name);
      if (layer.firingRate === undefined || predicted === undefined) return [];
      const keepRatio = { estimated: predicted.keepRatio, measured: layer.keepRatio };
      return [{ name: layer.name, channels: layer.channels, macs: layer.macs, keepRatio }];
    }),
    firing: measured.layers.flatMap(({ name, classFiringRate }) =>
      classFiringRate === undefined ? [] : [{ layer: name, rates: classFiringRate }],
    ),
    speed,
    samples: await extremes(dataset.test, dynamic.test, demoRecipe.samplesPerEnd),
    settings: { ...settings, ...fixedSettings },
    seconds: { total: Object.values(seconds).reduce((sum, time) => sum + time, 0), ...seconds },
    machine: describeMachine(),
  };
}

/** What the command line cannot change. */
const fixedSettings = {
  network: demoRecipe.network.widths.join('-'),
  head: demoRecipe.network.head,
  momentum: demoRecipe.momentum,
  nesterov: demoRecipe.nesterov,
  weightDecay: demoRecipe.dense.weightDecay,
  dynamicWeightDecay: demoRecipe.dynamic.weightDecay,
  labelSmoothing: demoRecipe.labelSmoothing,
  padCrop: demoRecipe.augment.padCrop,
  flip: demoRecipe.augment.flip,
  cooldown: demoRecipe.dynamic.cooldown,
  predictorPooling: demoRecipe.predictor.pooling,
  predictorSoftmax: demoRecipe.predictor.softmax,
  schedule: 'one cycle',
};

function epochReport(entry: EpochEntry): EpochReport {
  const { epoch, learningRate, taskLoss, maskLoss, trainAccuracy, test, layers, seconds } = entry;
  const mean = (of: 'keepRatio' | 'maskAccuracy') =>
    layers.reduce((sum, layer) => sum + layer[of], 0) / layers.length;
  return {
    epoch: epoch + 1,
    learningRate,
    taskLoss,
    trainAccuracy,
    testLoss: test?.loss,
    testAccuracy: test?.accuracy,
    macsReduction: test?.macsReduction,
    seconds,
    ...(layers.length > 0 && {
      maskLoss,
      keepRatio: mean('keepRatio'),
      maskAccuracy: mean('maskAccuracy'),
    }),
  };
}

/** The cheapest test images, ascending, and the costliest, descending; no image in both. */
async function extremes(
  split: Split,
  { predicted, sampleMacs }: Evaluation,
  perEnd: number,
): Promise<RunReport['samples']> {
  const macs = sampleMacs!.skippable;
  const order = Array.from(macs.keys()).sort((a, b) => macs[a] - macs[b] || a - b);
  const count = Math.min(perEnd, Math.floor(order.length / 2));
  const sample = async (index: number): Promise<SampleReport> => ({
    index,
    label: split.labels[index],
    predicted: predicted[index],
    macs: macs[index],
    png: await imagePng(split, index),
  });
  return {
    cheapest: await Promise.all(order.slice(0, count).map(sample)),
    costliest: await Promise.all(
      order
        .slice(order.length - count)
        .reverse()
        .map(sample),
    ),
  };
}

/** One image as base64 PNG; the first channel alone unless there are three. */
async function imagePng({ images, shape: [h, w, c] }: Split, index: number): Promise<string> {
  const size = h * w * c;
  const pixels = images.subarray(index * size, (index + 1) * size);
  const channels = c === 3 ? 3 : 1;
  const shown = c === channels ? pixels : pixels.filter((_, i) => i % c === 0);
  const raw = { width: w, height: h, channels } as const;
  return (await sharp(shown, { raw }).png({ compressionLevel: 9 }).toBuffer()).toString('base64');
}
