/** The networks that the device benchmark and its Python peer time, as data that both read, and their convolutions. */
import type { ConvGeometry } from '../../src/backend/kernels/channelSparseConv2d.js';
import * as tf from '@tensorflow/tfjs';
import { countMacs } from '../../src/index.js';
import { conv2dCases } from '../../test/cases/conv2d.js';

/** `conv`, `depthwise` (3x3) and those in `block` (two 3x3, ResNet's basic block) come with batch norm and relu. */
export type Step =
  | { type: 'conv'; cOut: number; kernel: number; stride: number }
  | { type: 'depthwise'; stride: number }
  | { type: 'pool'; size: number; stride: number }
  | { type: 'block'; cOut: number; stride: number }
  | { type: 'average' }
  | { type: 'dense'; units: number };

export interface Network {
  name: string;
  /** h, w, c. */
  input: [number, number, number];
  steps: Step[];
}

/** A convolution without its batch. */
export interface Layer extends Omit<ConvGeometry, 'n'> {
  name: string;
  batches: number[];
}

const conv = (cOut: number, kernel = 3, stride = 1): Step => ({
  type: 'conv',
  cOut,
  kernel,
  stride,
});
const block = (cOut: number, stride = 1): Step => ({ type: 'block', cOut, stride });
const stage = (cOut: number, blocks: number, stride = 2): Step[] =>
  Array.from({ length: blocks }, (_, i) => block(cOut, i === 0 ? stride : 1));
const separable = (cOut: number, stride = 1): Step[] => [
  { type: 'depthwise', stride },
  conv(cOut, 1),
];
const classifier = (units: number): Step[] => [{ type: 'average' }, { type: 'dense', units }];
const vggStage = (...widths: number[]): Step[] => [
  ...widths.map((cOut) => conv(cOut)),
  { type: 'pool', size: 2, stride: 2 },
];

export const networks: Network[] = [
  {
    name: 'VGG16',
    input: [32, 32, 3],
    steps: [
      ...vggStage(64, 64),
      ...vggStage(128, 128),
      ...vggStage(256, 256, 256),
      ...vggStage(512, 512, 512),
      ...vggStage(512, 512, 512),
      ...classifier(10),
    ],
  },
  {
    name: 'ResNet-56',
    input: [32, 32, 3],
    steps: [conv(16), ...stage(16, 9, 1), ...stage(32, 9), ...stage(64, 9), ...classifier(10)],
  },
  {
    name: 'ResNet-18',
    input: [224, 224, 3],
    steps: [
      conv(64, 7, 2),
      { type: 'pool', size: 3, stride: 2 },
      ...[...stage(64, 2, 1), ...stage(128, 2), ...stage(256, 2), ...stage(512, 2)],
      ...classifier(1000),
    ],
  },
  {
    name: 'ResNet-34',
    input: [224, 224, 3],
    steps: [
      conv(64, 7, 2),
      { type: 'pool', size: 3, stride: 2 },
      ...[...stage(64, 3, 1), ...stage(128, 4), ...stage(256, 6), ...stage(512, 3)],
      ...classifier(1000),
    ],
  },
  {
    name: 'MobileNetV1',
    input: [224, 224, 3],
    steps: [
      conv(32, 3, 2),
      ...[...separable(64), ...separable(128, 2), ...separable(128), ...separable(256, 2)],
      ...[...separable(256), ...separable(512, 2)],
      ...Array.from({ length: 5 }, () => separable(512)).flat(),
      ...[...separable(1024, 2), ...separable(1024), ...classifier(1000)],
    ],
  },
];

/** Whose convolutions are timed one by one. */
const layered = ['VGG16', 'ResNet-18'];

/** Every convolution of a network once, with padding kernel / 2 on all sides. */
function layersOf({ name, input, steps }: Network, batches: number[]): Layer[] {
  let [h, w, c] = input;
  const found = new Map<string, Layer>();
  const add = (
    cIn: number,
    cOut: number,
    kernel: number,
    stride: number,
    size: [number, number],
  ) => {
    const [height, width] = size;
    const pad = kernel >> 1;
    const out = (length: number) => Math.floor((length + 2 * pad - kernel) / stride) + 1;
    const layer: Layer = {
      name: `${name} ${cIn}->${cOut} ${kernel}x${kernel} ${height}x${width}${stride > 1 ? ` stride ${stride}` : ''}`,
      ...{ h: height, w: width, cIn, kh: kernel, kw: kernel, cOut },
      ...{ outH: out(height), outW: out(width), strideH: stride, strideW: stride },
      ...{ padTop: pad, padLeft: pad, padBottom: pad, padRight: pad },
      ...{ dilationH: 1, dilationW: 1, batches },
    };
    found.set(layer.name, layer);
    return [layer.outH, layer.outW] as [number, number];
  };
  for (const step of steps) {
    if (step.type === 'conv') {
      [h, w] = add(c, step.cOut, step.kernel, step.stride, [h, w]);
      c = step.cOut;
    } else if (step.type === 'pool') {
      [h, w] = [Math.ceil(h / step.stride), Math.ceil(w / step.stride)];
    } else if (step.type === 'block') {
      const size: [number, number] = [h, w];
      [h, w] = add(c, step.cOut, 3, step.stride, size);
      if (step.stride > 1 || c !== step.cOut) add(c, step.cOut, 1, step.stride, size);
      add(step.cOut, step.cOut, 3, 1, [h, w]);
      c = step.cOut;
    }
  }
  return [...found.values()];
}

/** The cases that the tests check, as large as they are there. */
function testedLayers(): Layer[] {
  return conv2dCases.flatMap((c) => {
    const info = tf.backend_util.computeConv2DInfo(
      c.x,
      c.filter,
      c.strides ?? 1,
      c.dilations ?? 1,
      c.pad ?? 'same',
      c.dimRoundingMode,
    );
    const [n, h, w, cIn] = c.x;
    const [kh, kw, , cOut] = c.filter;
    if (n * h * w === 0) return [];
    const { top, left, bottom, right } = info.padInfo;
    return {
      name: `case ${c.name}`,
      ...{ h, w, cIn, kh, kw, cOut, outH: info.outHeight, outW: info.outWidth },
      ...{ strideH: info.strideHeight, strideW: info.strideWidth },
      ...{ padTop: top, padLeft: left, padBottom: bottom, padRight: right },
      ...{ dilationH: info.dilationHeight, dilationW: info.dilationWidth, batches: [n] },
    };
  });
}

export function allLayers(batches: number[]): Layer[] {
  const timed = networks.filter(({ name }) => layered.includes(name));
  return [...timed.flatMap((network) => layersOf(network, batches)), ...testedLayers()];
}

/** Multiply-adds for one image. */
export function layerMacs({ outH, outW, kh, kw, cIn, cOut }: Layer): number {
  return outH * outW * kh * kw * cIn * cOut;
}

/** A network of stock tf.layers. */
export function buildNetwork({ input, steps }: Network): tf.LayersModel {
  const start = tf.input({ shape: input });
  let x = start;
  const withNorm = (convolution: tf.layers.Layer, from: tf.SymbolicTensor) =>
    tf.layers.batchNormalization().apply(convolution.apply(from)) as tf.SymbolicTensor;
  const shared = { padding: 'same', useBias: false } as const;
  const normalised = (from: tf.SymbolicTensor, filters: number, kernelSize: number, strides = 1) =>
    withNorm(tf.layers.conv2d({ ...shared, filters, kernelSize, strides }), from);
  const depthwise = (from: tf.SymbolicTensor, strides: number) =>
    withNorm(tf.layers.depthwiseConv2d({ ...shared, kernelSize: 3, strides }), from);
  const relu = (from: tf.SymbolicTensor) => tf.layers.reLU().apply(from) as tf.SymbolicTensor;
  for (const step of steps) {
    if (step.type === 'conv') x = relu(normalised(x, step.cOut, step.kernel, step.stride));
    else if (step.type === 'depthwise') x = relu(depthwise(x, step.stride));
    else if (step.type === 'pool') {
      const { size: poolSize, stride: strides } = step;
      const pool = tf.layers.maxPooling2d({ poolSize, strides, padding: 'same' });
      x = pool.apply(x) as tf.SymbolicTensor;
    } else if (step.type === 'block') {
      const { cOut, stride } = step;
      const projected = stride > 1 || x.shape[3] !== cOut ? normalised(x, cOut, 1, stride) : x;
      const inner = normalised(relu(normalised(x, cOut, 3, stride)), cOut, 3);
      x = relu(tf.layers.add().apply([projected, inner]) as tf.SymbolicTensor);
    } else if (step.type === 'average') {
      x = tf.layers.globalAveragePooling2d({} as never).apply(x) as tf.SymbolicTensor;
    } else x = tf.layers.dense({ units: step.units }).apply(x) as tf.SymbolicTensor;
  }
  return tf.model({ inputs: start, outputs: x });
}

/** Multiply-adds for one image. */
export function networkMacs(network: Network): number {
  const model = buildNetwork(network);
  const { total } = countMacs(model);
  model.dispose();
  return total;
}
