/** A run of invented numbers in the usual ranges, for the tests of the report. */
import type { EpochReport, RunReport } from '../../src/report/index.js';
import type { SpeedRow } from '../../src/timing/speed.js';

/** One pixel, as PNG. */
export const tinyPng =
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNgAAAAAgABSK+kcQAAAABJRU5ErkJggg==';

const layerChannels = [32, 32, 64, 64, 128];
const classes = ['T-shirt', 'Trouser', 'Pullover', 'Dress', 'Coat', 'Sandal', 'Shirt', 'Sneaker'];

function history(epochs: number, from: number, to: number, dynamic: boolean): EpochReport[] {
  return Array.from({ length: epochs }, (_, index) => {
    const done = 1 - Math.exp((-3 * (index + 1)) / epochs);
    const accuracy = from + (to - from) * done;
    return {
      epoch: index + 1,
      learningRate: 0.1 * (1 - index / epochs),
      taskLoss: 3 * (1 - accuracy) + 0.02,
      trainAccuracy: accuracy - 0.01,
      testLoss: 3 * (1 - accuracy),
      testAccuracy: accuracy,
      seconds: 31.5,
      ...(dynamic
        ? {
            maskLoss: 12 * (1 - 0.7 * done),
            macsReduction: { published: 0.45 + 0.15 * done, skippable: 0.4 + 0.14 * done },
            keepRatio: 1 - 0.35 * done,
            maskAccuracy: 0.6 + 0.25 * done,
          }
        : {}),
    };
  });
}

function speedRow(contender: string, batch: number, rate: number, macsShare?: number): SpeedRow {
  const spread = (of: (rate: number) => number) => ({
    ...{ median: of(rate), p10: of(0.9 * rate), p90: of(1.05 * rate) },
  });
  return {
    ...{ contender, batch, runs: 50, error: 1e-6 },
    milliseconds: spread((r) => (1000 * batch) / r),
    imagesPerSecond: spread((r) => r),
    ...(macsShare === undefined ? {} : { macsShare }),
  };
}

export function exampleReport(): RunReport {
  return {
    name: 'demo',
    created: '2026-01-02T03:04:05.678Z',
    version: '0.1.0',
    commit: '0123456789abcdef0123456789abcdef01234567',
    data: {
      name: 'fashion-mnist',
      classes,
      trainCount: 60000,
      testCount: 10000,
      shape: [28, 28, 1],
    },
    model: 'vgg-small',
    dense: {
      accuracy: 0.9312,
      loss: 0.2,
      macs: 12345678,
      parameters: 312345,
      history: history(6, 0.8, 0.9312, false),
    },
    estimated: {
      mass: 0.82,
      calibrationImages: 512,
      macsReduction: { published: 0.58, skippable: 0.52 },
    },
    dynamic: {
      accuracy: 0.9281,
      loss: 0.21,
      mass: 0.82,
      mode: 'decoupled',
      macs: 5678901,
      macsReduction: { published: 0.6, skippable: 0.54 },
      history: history(5, 0.88, 0.9281, true),
    },
    layers: layerChannels.map((channels, index) => ({
      name: `conv${index + 1}`,
      channels,
      macs: 2000000 + 100000 * index,
      keepRatio: { estimated: 0.8 - 0.1 * index, measured: 0.78 - 0.09 * index },
    })),
    firing: layerChannels.map((channels, layer) => ({
      layer: `conv${layer + 1}`,
      rates: classes.map((_, k) =>
        Array.from(
          { length: channels },
          (_, channel) => 0.5 + 0.5 * Math.sin(channel * (layer + 1) + 2 * k),
        ),
      ),
    })),
    speed: {
      device: 'native',
      contenders: ['dense session', 'dynamic session', 'dense ONNX Runtime 1.2.3'],
      batches: [1, 32],
      remark: null,
      rows: [
        speedRow('dense session', 1, 4321, 1),
        speedRow('dynamic session', 1, 7654, 0.46),
        speedRow('dense ONNX Runtime 1.2.3', 1, 3210),
        speedRow('dense session', 32, 12345, 1),
        speedRow('dynamic session', 32, 23456, 0.46),
        speedRow('dense ONNX Runtime 1.2.3', 32, 9876),
      ],
      failures: [],
    },
    samples: {
      cheapest: Array.from({ length: 8 }, (_, index) => ({
        index: 17 * index,
        label: 1,
        predicted: 1,
        macs: 2e6 + 1e5 * index,
        png: tinyPng,
      })),
      costliest: Array.from({ length: 8 }, (_, index) => ({
        index: 23 * index,
        label: 6,
        predicted: index % 3 === 0 ? 2 : 6,
        macs: 9e6 + 1e5 * index,
        png: tinyPng,
      })),
    },
    settings: { epochs: 6, dynamicEpochs: 5, batchSize: 128, seed: 1, mode: 'decoupled' },
    seconds: { total: 492.4, 'dense training': 231, 'dynamic training': 240, evaluation: 12 },
    machine: {
      cpu: 'Example CPU',
      cores: 2,
      threads: 2,
      instructionSet: 'avx512',
      memoryBytes: 16 * 2 ** 30,
      platform: 'linux x64',
      node: '20.17.0',
      tfjs: '4.22.0',
      backend: 'native',
      gpus: [],
    },
  };
}
