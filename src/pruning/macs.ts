/** Multiply-accumulates and parameters of a network, all channels computed. */
import type * as tf from '@tensorflow/tfjs';
import { FtwtError } from '../errors.js';
import { fixedShape, graphOf, kindOf, type GraphNode } from './graph.js';

export type LayerKind = 'conv' | 'depthwise' | 'dense' | 'pooling' | 'other';

export interface LayerMacs {
  name: string;
  kind: LayerKind;
  /** Per image, all channels computed, without the predictor. */
  macs: number;
  /** Of the mask predictor, where the layer is dynamic; else 0. */
  predictorMacs: number;
  /** Trainable by nature (running statistics are not), predictor included. */
  parameters: number;
  /** Without the batch. */
  outputShape: number[];
}

export interface MacsCount {
  /** Per image, all channels computed, without predictors: the same for a network and its dynamic version. */
  total: number;
  /** Sum over layers of `predictorMacs`. */
  predictors: number;
  parameters: number;
  /** Layers with MACs or parameters, in topological order. */
  layers: LayerMacs[];
}

/**
 * Counts multiply-accumulates per image, and parameters, by the rule behind the paper's numbers: convolution and
 * depthwise convolution h'w' * cOut * (kh*kw*cIn/groups + bias), dense in * out, average pooling one per output element,
 * everything else nothing.
 * @param model dense or dynamic, functional or Sequential, with fixed image sizes
 * @throws FtwtError INVALID_ARGUMENT for models inside the model, unknown sizes, and layers it cannot count
 */
export function countMacs(model: tf.LayersModel): MacsCount {
  const layers: LayerMacs[] = [];
  const counted = new Set<tf.layers.Layer>();
  for (const node of graphOf(model, 'countMacs').nodes) {
    const cost = denseCost(node, 'countMacs');
    const parameters = counted.has(node.layer) ? 0 : parametersOf(node.layer);
    counted.add(node.layer);
    if (cost.macs === 0 && parameters === 0) continue;
    const { name } = node.layer;
    const outputShape = fixedShape(node.outputs[0], 'countMacs');
    layers.push({ name, ...cost, parameters, outputShape });
  }
  const sum = (field: 'macs' | 'predictorMacs' | 'parameters') =>
    layers.reduce((total, layer) => total + layer[field], 0);
  return {
    total: sum('macs'),
    predictors: sum('predictorMacs'),
    parameters: sum('parameters'),
    layers,
  };
}

/** The sizes of a (depthwise) convolution that decide its MACs. */
export interface ConvolutionSizes {
  /** h'w' of the output. */
  pixels: number;
  /** kh*kw. */
  taps: number;
  cIn: number;
  cOut: number;
  /** 1 with a bias, else 0. */
  bias: number;
}

interface Cost {
  kind: LayerKind;
  macs: number;
  predictorMacs: number;
}

const averagePoolings = ['AveragePooling2D', 'GlobalAveragePooling2D'];
const free = ['BatchNormalization', 'LayerNormalization', 'PReLU', 'Embedding'];

/** @throws FtwtError for layers whose MACs are unknown */
export function denseCost(node: GraphNode, caller: string): Cost {
  const { layer } = node;
  const kind = convolutionKind(layer);
  if (kind !== undefined) {
    const sizes = convolutionSizes(node, caller);
    const macs = kind === 'conv' ? convMacs(sizes) : depthwiseMacs(sizes);
    const predictorMacs = isDynamic(layer) ? sizes.cIn * sizes.cOut : 0;
    return { kind, macs, predictorMacs };
  }
  const className = kindOf(layer);
  if (className === 'SeparableConv2D') {
    const { depthwise, pointwise } = separableSizes(node, caller);
    return { kind: 'conv', macs: depthwiseMacs(depthwise) + convMacs(pointwise), predictorMacs: 0 };
  }
  if (className === 'Dense') {
    const inputs = node.inputs[0].shape.slice(-1)[0]!;
    const outputs = fixedShape(node.outputs[0], caller);
    return { kind: 'dense', macs: inputs * product(outputs), predictorMacs: 0 };
  }
  if (averagePoolings.includes(className)) {
    const macs = product(fixedShape(node.outputs[0], caller));
    return { kind: 'pooling', macs, predictorMacs: 0 };
  }
  if (layer.weights.length > 0 && !free.includes(className)) {
    throw new FtwtError(
      'INVALID_ARGUMENT',
      `${caller}: cannot count the MACs of layer "${layer.name}" (${className})`,
    );
  }
  return { kind: 'other', macs: 0, predictorMacs: 0 };
}

export function convMacs({ pixels, taps, cIn, cOut, bias }: ConvolutionSizes): number {
  return pixels * cOut * (taps * cIn + bias);
}

export function depthwiseMacs({ pixels, taps, cOut, bias }: ConvolutionSizes): number {
  return pixels * cOut * (taps + bias);
}

/** 'conv' or 'depthwise' for stock and dynamic convolutions. */
export function convolutionKind(layer: tf.layers.Layer): 'conv' | 'depthwise' | undefined {
  switch (kindOf(layer)) {
    case 'Conv2D':
    case 'FtwtDynamicConv2D':
      return 'conv';
    case 'DepthwiseConv2D':
    case 'FtwtDynamicDepthwiseConv2D':
      return 'depthwise';
    default:
      return undefined;
  }
}

/** True for the dynamic layers of this package. */
export function isDynamic(layer: tf.layers.Layer): boolean {
  return kindOf(layer).startsWith('FtwtDynamic');
}

/** The two convolutions of a SeparableConv2D; the first has no bias. */
export function separableSizes(
  node: GraphNode,
  caller: string,
): { depthwise: ConvolutionSizes; pointwise: ConvolutionSizes } {
  const sizes = convolutionSizes(node, caller);
  const [depthwiseKernel] = node.layer.weights;
  const between = sizes.cIn * depthwiseKernel.shape[3]!;
  return {
    depthwise: { ...sizes, cOut: between, bias: 0 },
    pointwise: { ...sizes, taps: 1, cIn: between },
  };
}

/** @param node of a layer with a `kernelSize` in two dimensions */
export function convolutionSizes(node: GraphNode, caller: string): ConvolutionSizes {
  const { kernelSize, useBias, dataFormat } = node.layer.getConfig() as {
    kernelSize: number[];
    useBias: boolean;
    dataFormat?: string;
  };
  if (dataFormat === 'channelsFirst') {
    throw new FtwtError(
      'INVALID_ARGUMENT',
      `${caller}: layer "${node.layer.name}" is channelsFirst; only channelsLast is supported`,
    );
  }
  const [h, w, cOut] = fixedShape(node.outputs[0], caller);
  const cIn = fixedShape(node.inputs[0], caller)[2];
  return { pixels: h * w, taps: product(kernelSize), cIn, cOut, bias: useBias ? 1 : 0 };
}

/** tfjs counts running statistics as parameters, and a frozen layer's weights as not trainable; neither is meant here. */
function parametersOf(layer: tf.layers.Layer): number {
  return layer.weights
    .filter(({ originalName }) => !/moving_(mean|variance)$/.test(originalName))
    .reduce((total, { shape }) => total + product(shape as number[]), 0);
}

export function product(sizes: number[]): number {
  return sizes.reduce((total, size) => total * size, 1);
}
