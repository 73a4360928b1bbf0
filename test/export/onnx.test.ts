/** ONNX files: what is in them, and what they compute, by tfjs and (where `npm run bench:peers` was run) ONNX Runtime. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as tf from '@tensorflow/tfjs';
import { openOnnx } from '../../bench/peers/onnxruntime.js';
import { peerVersion } from '../../bench/peers/load.js';
import { unaryOps } from '../../src/backend/kernels/unary.js';
import { planToOnnx, toOnnx } from '../../src/export/index.js';
import { makeDynamic, mobilenetV1, resnet, vggSmall } from '../../src/index.js';
import { ChannelPadShortcut } from '../../src/models/channelPadShortcut.js';
import type { Plan, PlanNode } from '../../src/session/plan.js';
import { allClose } from '../allClose.js';
import { chain, closeLogits, images, modelOf, scatter } from '../session/oracle.js';
import { decodeOnnx } from './decodeOnnx.js';
import { runOnnx } from './runOnnx.js';

const { layers } = tf;
const hasOrt = peerVersion('onnxruntime-node') !== undefined;

/** Asserts that a file gives the expected values for the images. */
async function computes(
  file: Uint8Array,
  x: tf.Tensor,
  close: (actual: Float32Array, by: string) => void,
): Promise<void> {
  close(
    tf.tidy(() => runOnnx(decodeOnnx(file), x).dataSync<'float32'>().slice()),
    'by tfjs',
  );
  if (!hasOrt) return;
  const onnx = await openOnnx(file);
  close(await onnx.run(x.dataSync<'float32'>(), x.shape[0]), 'by ONNX Runtime');
  await onnx.release();
}

async function exportAgrees(label: string, model: tf.LayersModel): Promise<void> {
  const file = toOnnx(model);
  for (const n of [1, 3]) {
    const x = images(model, n);
    const expected = tf.tidy(() => (model.predict(x) as tf.Tensor).dataSync<'float32'>().slice());
    // A file knows images alone.
    const [h, w, c] = [1, 1, ...model.inputs[0].shape.slice(1)].slice(-3) as number[];
    const batch = x.reshape([n, h, w, c]);
    await computes(file, batch, (actual, by) =>
      closeLogits(actual, expected, `${label}, batch ${n}, ${by}`),
    );
    tf.dispose([x, batch]);
  }
}

test('a file holds weights, windows and sizes as ONNX has them', () => {
  const conv = { filters: 4, kernelSize: [3, 2] as [number, number], strides: 2 };
  const model = modelOf(
    [8, 8, 3],
    chain(
      layers.conv2d({ ...conv, padding: 'same', activation: 'relu' }),
      layers.flatten(),
      layers.dense({ units: 5 }),
    ),
  );
  const file = decodeOnnx(toOnnx(model));
  assert.deepEqual([file.irVersion, file.opset], [8, 17]);
  assert.deepEqual(file.input, { name: 'images', shape: ['n', 8, 8, 3] });
  assert.deepEqual(file.output, { name: 'logits', shape: ['n', 5] });
  const ops = file.nodes.map(({ op }) => op);
  assert.deepEqual(ops, ['Transpose', 'Conv', 'Relu', 'Flatten', 'Gemm', 'Identity']);
  const [, convolution, , , dense] = file.nodes;
  assert.deepEqual(convolution.attributes, {
    kernel_shape: [3, 2],
    strides: [2, 2],
    dilations: [1, 1],
    pads: [0, 0, 1, 0],
  });
  const [filter, bias, kernel] = model.getWeights();
  const stored = (name: string) => file.constants.get(name)!;
  const expected = tf.tidy(() => filter.transpose([3, 2, 0, 1]).dataSync());
  assert.deepEqual(stored(convolution.inputs[1]).shape, [4, 3, 3, 2]);
  assert.deepEqual([...stored(convolution.inputs[1]).values], [...expected]);
  assert.deepEqual([...stored(convolution.inputs[2]).values], [...bias.dataSync()]);
  const rows = tf.tidy(() => kernel.reshape([4, 4, 4, 5]).transpose([2, 0, 1, 3]).dataSync());
  assert.deepEqual(stored(dense.inputs[1]).shape, [64, 5]);
  assert.deepEqual([...stored(dense.inputs[1]).values], [...rows]);
});

test('the builders, dense and with their own masks', async () => {
  const builders: Record<string, () => tf.LayersModel> = {
    'resnet 8': () => resnet({ depth: 8, seed: 1 }),
    mobilenetV1: () => mobilenetV1({ seed: 1, alpha: 0.25 }),
    vggSmall: () => vggSmall({ seed: 1, head: 'flatten' }),
  };
  for (const [label, build] of Object.entries(builders)) {
    await exportAgrees(label, scatter(build()));
    for (const pooling of ['max', 'average'] as const) {
      const softmax = pooling === 'max';
      const dynamic = scatter(makeDynamic(build(), { mass: 0.9, pooling, softmax }));
      await exportAgrees(`${label}, dynamic, ${pooling}`, dynamic);
    }
  }
});

test('layers in odd sizes', async () => {
  const activation = (name: string) => layers.activation({ activation: name as 'relu' });
  const conv = (args: object) => layers.conv2d({ filters: 5, kernelSize: 3, ...args });
  const depthwise = (args: object) => layers.depthwiseConv2d({ kernelSize: 3, ...args });
  const uneven = layers.zeroPadding2d({
    padding: [
      [0, 2],
      [3, 1],
    ],
  } as Parameters<typeof layers.zeroPadding2d>[0]);
  const same = { padding: 'same' as const };
  const bodies: Record<string, [number[], tf.layers.Layer[]]> = {
    'stride 2, even': [[8, 8, 3], [conv({ ...same, strides: 2 })]],
    'stride 2, odd': [[7, 9, 3], [conv({ ...same, strides: 2 })]],
    'windows that end before the image': [[9, 9, 3], [conv({ kernelSize: 2, strides: 3 })]],
    dilated: [[9, 8, 3], [conv({ ...same, dilationRate: [3, 1] })]],
    'larger than the image': [[2, 3, 5], [conv({ ...same, kernelSize: 5 })]],
    'after an uneven padding': [
      [6, 5, 3],
      [uneven, conv({ strides: 2 })],
    ],
    'a padding alone': [[6, 5, 3], [uneven]],
    depthwise: [[7, 6, 3], [depthwise({ ...same, strides: 2, depthMultiplier: 3 })]],
    separable: [[7, 6, 3], [layers.separableConv2d({ filters: 4, kernelSize: 3 })]],
    'max pool': [[7, 6, 3], [layers.maxPooling2d({ poolSize: 3, strides: 2, ...same })]],
    'average pool': [[7, 6, 3], [layers.averagePooling2d({ poolSize: 3, strides: 2, ...same })]],
    'batch norm alone': [[3, 4, 5], [layers.batchNormalization()]],
    'batch norm without shift': [
      [3, 4, 5],
      [conv({ ...same, activation: 'relu' }), layers.batchNormalization({ center: false })],
    ],
    flatten: [[3, 4, 5], [layers.flatten()]],
    'flatten, dense, dense': [
      [3, 4, 5],
      [layers.flatten(), layers.dense({ units: 7 }), layers.dense({ units: 3 })],
    ],
    reshape: [
      [4, 6, 2],
      [layers.reshape({ targetShape: [3, 2, 8] }), conv({ ...same })],
    ],
    'vector to image': [
      [12],
      [layers.dense({ units: 12 }), layers.reshape({ targetShape: [2, 2, 3] }), conv({ ...same })],
    ],
    'softmax of pixels': [[3, 4, 5], [activation('softmax')]],
    'softmax of a vector': [[6], [layers.dense({ units: 4, activation: 'softmax' })]],
    shortcut: [[7, 5, 3], [new ChannelPadShortcut({ filters: 8, strides: 2 })]],
    'shortcut of the same channels': [
      [7, 5, 3],
      [new ChannelPadShortcut({ filters: 3, strides: 2 })],
    ],
  };
  for (const name of ['relu', 'relu6', 'elu', 'sigmoid', 'hardSigmoid', 'softplus', 'tanh']) {
    bodies[name] = [[3, 4, 5], [activation(name)]];
    bodies[`conv, ${name}`] = [[5, 4, 3], [conv({ activation: name })]];
  }
  for (const [label, [shape, body]] of Object.entries(bodies)) {
    await exportAgrees(label, modelOf(shape, chain(...body)));
  }
});

test('sums and concatenations', async () => {
  const apply = (layer: tf.layers.Layer, x: tf.SymbolicTensor | tf.SymbolicTensor[]) =>
    layer.apply(x) as tf.SymbolicTensor;
  const conv = () => layers.conv2d({ filters: 3, kernelSize: 3, padding: 'same' });
  const two = (join: tf.layers.Layer) => (x: tf.SymbolicTensor) =>
    apply(layers.reLU(), apply(join, [apply(layers.reLU(), x), apply(conv(), x)]));
  await exportAgrees('add', modelOf([5, 4, 3], two(layers.add())));
  await exportAgrees('concatenate', modelOf([5, 4, 3], two(layers.concatenate())));
});

const window = {
  ...{ kh: 1, kw: 1, strideH: 1, strideW: 1, dilationH: 1, dilationW: 1, padTop: 0, padLeft: 0 },
};

function planOf(node: Partial<PlanNode>): Plan {
  const out = { h: 2, w: 3, c: 4 };
  const plain: PlanNode = {
    ...{ ...window, kind: 'activation', name: 'only', inputs: [0], out, average: false },
    activation: 'linear',
  };
  return { input: out, nodes: [{ ...plain, ...node }], output: 1 };
}

test('every element-wise function', async () => {
  const x = tf.randomUniform([2, 2, 3, 4], 0.1, 3, 'float32', 1);
  for (const op of unaryOps) {
    const attrs = { alpha: 0.3, clipValueMin: 0.3, clipValueMax: 1.5 };
    const { alpha, clipValueMin, clipValueMax } = attrs;
    const [a, b] = op === 'ClipByValue' ? [clipValueMin, clipValueMax] : [alpha, 0];
    const file = planToOnnx(planOf({ function: { op, alpha: a, beta: b } }));
    // Half of the values below zero where the function takes those.
    const positive = ['Sqrt', 'Rsqrt', 'Log', 'Log1p'].includes(op);
    const values = positive ? x : x.sub(1.5);
    const expected = tf.engine().runKernel(op, { x: values }, attrs) as tf.Tensor;
    await computes(file, values, (actual, by) =>
      allClose(actual, expected.dataSync(), {}, `${op}, ${by}`),
    );
  }
});

test('a window that would not be computed is refused', () => {
  const plan = planOf({ kind: 'pool', kh: 2, kw: 1, name: 'cut', out: { h: 1, w: 2, c: 4 } });
  assert.throws(() => planToOnnx(plan), {
    code: 'INVALID_ARGUMENT',
    message: 'toOnnx: "cut" leaves out windows: 2 of 3 in a row or column',
  });
});

test('an unsupported layer is named', () => {
  const model = modelOf([4, 3], chain(layers.lstm({ units: 2, name: 'memory' })));
  assert.throws(() => toOnnx(model), { code: 'INVALID_ARGUMENT', message: /"memory"/ });
});
