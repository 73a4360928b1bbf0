/**
 * Runs every op of the addon on a device over the shapes of test/cases, for tools that watch memory and threads:
 * `node dist/test/everyOp.js cuda`. Values are the tests' business; here every launch must only succeed.
 */
import * as tf from '@tensorflow/tfjs';
import type { DeviceBackend } from '../src/backend/deviceBackend.js';
import type { OpTable } from '../src/binding.js';
import * as ftwt from '../src/index.js';
import { Target } from '../bench/device/target.js';
import { uniform } from './agrees.js';
import { calls } from './backend/kernelCalls.js';
import { sparseConvCases } from './cases/channelSparseConv2d.js';
import { conv2dCases, type Conv2dCase } from './cases/conv2d.js';
import { depthwiseCases } from './cases/depthwise.js';
import { massMaskCases } from './cases/massMask.js';
import { matmulCases } from './cases/matmul.js';

type Convolution = (x: tf.Tensor, filter: tf.Tensor) => tf.Tensor;

/** Both gradients, and with them the result. */
function differentiate(f: Convolution, x: tf.Tensor, filter: tf.Tensor): void {
  tf.grads(f)([x, filter]);
}

function apply(f: Convolution, x: tf.Tensor, filter: tf.Tensor): void {
  f(x, filter);
}

function convolutions(): void {
  for (const [cases, conv] of [
    [conv2dCases, tf.conv2d],
    [depthwiseCases, tf.depthwiseConv2d],
  ] as [Conv2dCase[], typeof tf.conv2d][]) {
    for (const c of cases) {
      const { strides = 1, pad = 'same', dilations = 1, dimRoundingMode } = c;
      const f: Convolution = (x, filter) =>
        conv(
          x as tf.Tensor4D,
          filter as tf.Tensor4D,
          strides,
          pad,
          'NHWC',
          dilations,
          dimRoundingMode,
        );
      // tfjs's gradients know neither dilations nor rounding.
      const run =
        c.dilations === undefined && dimRoundingMode === undefined ? differentiate : apply;
      tf.tidy(() => run(f, uniform(c.x), uniform(c.filter)));
    }
  }
}

function sparseConvolutions(): void {
  for (const c of sparseConvCases) {
    const mask = (channels: number, active: number | undefined) =>
      active === undefined
        ? undefined
        : (tf.cast(
            tf.less(uniform([c.x[0], channels], 0, 1, 3), active),
            'float32',
          ) as tf.Tensor2D);
    tf.tidy(() => {
      const options = {
        ...{ strides: c.strides, pad: c.pad, dilations: c.dilations },
        inputMask: mask(c.x[3], c.input),
        outputMask: mask(c.filter[3], c.output),
      };
      const conv: Convolution = (x, filter) =>
        ftwt.channelSparseConv2d(x as tf.Tensor4D, filter as tf.Tensor4D, options);
      differentiate(conv, uniform(c.x), uniform(c.filter));
    });
  }
}

function matrixProducts(): void {
  for (const { a, b, transposeA, transposeB } of matmulCases) {
    tf.tidy(() => tf.matMul(uniform(a), uniform(b), transposeA, transposeB));
  }
}

function masks(): void {
  for (const { saliency, mass, options } of massMaskCases) {
    tf.tidy(() => ftwt.massMask(tf.tensor2d(saliency), mass, options));
    tf.tidy(() => ftwt.topKMask(tf.tensor2d(saliency), 0.5));
  }
  for (const shape of sparseConvCases.map(({ x }) => x)) {
    for (const pooling of ['max', 'average'] as const) {
      tf.tidy(() => {
        const predict = (x: tf.Tensor, weights: tf.Tensor, bias: tf.Tensor) =>
          ftwt.maskPredictor(x as tf.Tensor4D, weights as tf.Tensor2D, bias as tf.Tensor1D, {
            pooling,
          });
        tf.grads(predict)([uniform(shape), uniform([shape[3], 7]), uniform([7])]);
        ftwt.channelSaliency(uniform(shape) as tf.Tensor4D);
      });
    }
  }
}

function training(): void {
  for (const shape of [
    [1, 1, 1, 1],
    [3, 5, 4, 9],
    [2, 6, 6, 70],
    [1, 15, 14, 8],
  ]) {
    // prettier-ignore
    tf.tidy(() => {
      const c = shape[3];
      const normalise = (x: tf.Tensor, gamma: tf.Tensor, beta: tf.Tensor) =>
        ftwt.batchNormTraining(x as tf.Tensor4D, gamma as tf.Tensor1D, beta as tf.Tensor1D).y;
      tf.grads(normalise)([uniform(shape), uniform([c]), uniform([c])]);
      tf.batchNorm(uniform(shape), uniform([c]), uniform([c], 0.5, 1), uniform([c]), uniform([c]));
      const weight = uniform(shape);
      ftwt.sgdMomentumUpdate(weight, weight, weight, { learningRate: 0.1, momentum: 0.9 });
    });
  }
}

/** Compiled networks, whose ops are not in the table: packed channels, residual sums, depthwise convolutions. */
function sessions(device: string, precision: ftwt.Precision): void {
  const networks = [ftwt.resnet({ depth: 8 }), ftwt.mobilenetV1({ alpha: 0.25 })];
  for (const model of networks.flatMap((network) => [
    network,
    ftwt.makeDynamic(network, { mass: 0.9 }),
  ])) {
    const session = ftwt.compile(model, { device, precision, maxBatch: 2 });
    const images = uniform([2, ...session.inputShape]).dataSync<'float32'>();
    const { masks } = session.run(images, { masks: true });
    session.run(images, { forcedMasks: masks });
    session.dispose();
  }
}

/** Counts the calls of each op of a backend. */
function counted(ops: OpTable): Map<string, number> {
  const table = ops as unknown as Record<string, (fields: never) => void>;
  const counts = new Map(Object.keys(table).map((name) => [name, 0]));
  for (const [name, op] of Object.entries(table)) {
    table[name] = (fields) => {
      counts.set(name, counts.get(name)! + 1);
      op(fields);
    };
  }
  return counts;
}

async function main(device: string): Promise<void> {
  await ftwt.setDevice(device);
  const backend = tf.backend() as DeviceBackend;
  const counts = counted(backend.ops);
  const runs = [convolutions, sparseConvolutions, matrixProducts, masks, training];
  for (const precision of new Target().precisions) {
    backend.setPrecision(precision);
    for (const run of runs) run();
    for (const call of Object.values(calls)) tf.tidy(() => void call());
    tf.tidy(() => sessions(device, precision));
    backend.synchronize();
  }
  const missing = [...counts].filter(([, count]) => count === 0).map(([name]) => name);
  if (missing.length > 0) throw new Error(`These ops never ran: ${missing.join(', ')}`);
  const launches = [...counts.values()].reduce((sum, count) => sum + count);
  console.log(`every op ran: ${counts.size} ops, ${launches} calls`);
}

main(process.argv[2] ?? 'cuda').catch((error) => {
  console.error(error);
  process.exitCode = 1;
});
