/** One training step of a small VGG through tfjs's own `trainOnBatch`: backend `native` against tfjs's `cpu`. */
import * as tf from '@tensorflow/tfjs';
import { markdownTable, saveResults, timeByTurns, type Contender, type Timing } from './harness.js';

/** 32-32-M-64-64-M-128-M-fc128-fc10, 3x3 SAME convolutions with bias and ReLU: no batch norm, stock layers only. */
function smallVgg(inputShape: [number, number, number]): tf.LayersModel {
  const model = tf.sequential();
  const convolution = (filters: number, first = false): void =>
    model.add(
      tf.layers.conv2d({
        filters,
        kernelSize: 3,
        padding: 'same',
        activation: 'relu',
        ...(first ? { inputShape } : {}),
      }),
    );
  const pool = (): void => model.add(tf.layers.maxPooling2d({ poolSize: 2 }));
  convolution(32, true);
  convolution(32);
  pool();
  convolution(64);
  convolution(64);
  pool();
  convolution(128);
  pool();
  model.add(tf.layers.flatten());
  model.add(tf.layers.dense({ units: 128, activation: 'relu' }));
  model.add(tf.layers.dense({ units: 10, activation: 'softmax' }));
  model.compile({ optimizer: tf.train.momentum(0.01, 0.9), loss: 'categoricalCrossentropy' });
  return model;
}

interface Case {
  inputShape: [number, number, number];
  backend: string;
  batch: number;
}

/** A contender that makes its backend current, then trains on one fixed batch. */
async function trainingStep({ inputShape, backend, batch }: Case): Promise<Contender> {
  await tf.setBackend(backend);
  const model = smallVgg(inputShape);
  const x = tf.randomNormal([batch, ...inputShape], 0, 1, 'float32', 1);
  const labels = tf.oneHot(
    tf.tensor1d(
      Array.from({ length: batch }, (_, i) => i % 10),
      'int32',
    ),
    10,
  );
  return {
    name: `${inputShape.join('x')} ${backend} batch ${batch}`,
    async run() {
      await tf.setBackend(backend);
      const loss = (await model.trainOnBatch(x, labels)) as number;
      if (!Number.isFinite(loss)) throw new Error(`${backend}: the loss is ${loss}`);
    },
  };
}

interface Comparison {
  inputShape: string;
  native: Timing & { batch: number; msPerImage: number };
  cpu: Timing & { batch: number; msPerImage: number };
  ratio: number;
}

/** Several native steps for each slow cpu step, by turns. */
async function compare(inputShape: Case['inputShape'], rounds: number): Promise<Comparison> {
  const native = await trainingStep({ inputShape, backend: 'native', batch: 128 });
  const cpu = await trainingStep({ inputShape, backend: 'cpu', batch: 4 });
  await native.run();
  const [first, slow, second] = await timeByTurns([native, cpu, native], { rounds, warmup: 0 });
  const median = (first.median + second.median) / 2;
  const nativeTiming = { ...first, median, batch: 128, msPerImage: median / 128 };
  const cpuTiming = { ...slow, batch: 4, msPerImage: slow.median / 4 };
  return {
    inputShape: inputShape.join('x'),
    native: nativeTiming,
    cpu: cpuTiming,
    ratio: cpuTiming.msPerImage / nativeTiming.msPerImage,
  };
}

export async function run(): Promise<void> {
  const comparisons: Comparison[] = [];
  for (const inputShape of [
    [32, 32, 3],
    [28, 28, 1],
  ] as Case['inputShape'][]) {
    comparisons.push(await compare(inputShape, 3));
  }
  const table = markdownTable(
    [
      'small VGG, input',
      'native, s a step of 128',
      'native, ms an image',
      'tfjs cpu, ms an image',
      'ratio',
    ],
    comparisons.map(({ inputShape, native, cpu, ratio }) => [
      inputShape,
      (native.median / 1000).toFixed(3),
      native.msPerImage.toFixed(2),
      cpu.msPerImage.toFixed(0),
      `${Math.round(ratio)}x`,
    ]),
  );
  const path = saveResults('train', { comparisons, table });
  console.log(`${table}\n\nwritten to ${path}`);
}
