/** The networks that the device benchmark and its Python peer time, as data that both read, and their convolutions. */
import type { ConvGeometry } from '../../src/backend/kernels/channelSparseConv2d.js';
import * as tf from '@tensorflow/tfjs';
import { conv2dCases } from '../../test/cases/conv2d.js';

/** `conv` and those in `block` (two 3x3, ResNet's basic block) come with batch norm and relu. */
export type Step =
  | { type: 'conv'; cOut: number; kernel: number; stride: number }
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
      { type: 'average' },
      { type: 'dense', units: 10 },
    ],
  },
  {
    name: 'ResNet-18',
    input: [224, 224, 3],
    steps: [
      conv(64, 7, 2),
      { type: 'pool', size: 3, stride: 2 },
      ...[block(64), block(64), block(128, 2), block(128)],
      ...[block(256, 2), block(256), block(512, 2), block(512)],
      { type: 'average' },
      { type: 'dense', units: 1000 },
    ],
  },
];

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
  return [...networks.flatMap((network) => layersOf(network, batches)), ...testedLayers()];
}

/** Multiply-adds for one image. */
export function layerMacs({ outH, outW, kh, kw, cIn, cOut }: Layer): number {
  return outH * outW * kh * kw * cIn * cOut;
}

/** A network of stock tf.layers. */
export function buildNetwork({ input, steps }: Network): tf.LayersModel {
  const start = tf.input({ shape: input });
  let x = start;
  const normalised = (
    from: tf.SymbolicTensor,
    filters: number,
    kernelSize: number,
    strides = 1,
  ) => {
    const y = tf.layers
      .conv2d({ filters, kernelSize, strides, padding: 'same', useBias: false })
      .apply(from);
    return tf.layers.batchNormalization().apply(y) as tf.SymbolicTensor;
  };
  const relu = (from: tf.SymbolicTensor) => tf.layers.reLU().apply(from) as tf.SymbolicTensor;
  for (const step of steps) {
    if (step.type === 'conv') x = relu(normalised(x, step.cOut, step.kernel, step.stride));
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

/** Of all convolutions, for one image. */
export function networkMacs(network: Network): number {
  // Repeated layers count as often as they come: the sum runs over the steps.
  const model = buildNetwork(network);
  const macs = model.layers.reduce((sum, layer) => {
    if (layer.getClassName() !== 'Conv2D') return sum;
    const [, outH, outW] = layer.outputShape as number[];
    const [kh, kw, cIn, cOut] = layer.weights[0].shape as number[];
    return sum + outH * outW * kh * kw * cIn * cOut;
  }, 0);
  model.dispose();
  return macs;
}
