/** Lowers the layers with weights: convolutions, dense layers, batch norms. */
import type * as tf from '@tensorflow/tfjs';
import { DynamicLayer } from '../layers/dynamicLayer.js';
import { kindOf, type GraphNode } from '../pruning/graph.js';
import { stepsOf } from './activations.js';
import { scaleOutput, type Draft } from './draft.js';
import { refuse } from './errors.js';
import { applySteps, type Network } from './network.js';
import type { Shape } from './plan.js';
import { shapeOf, windowOf } from './shapes.js';

/** What a convolution has in its config. */
interface ConvolutionConfig {
  kernelSize: number[];
  strides: number[];
  padding: string;
  dilationRate: number[];
  activation: string;
}

/** The values of a layer's weight, by its name without the layer's. */
function weightOf(layer: tf.layers.Layer, name: string): Float32Array | undefined {
  const weight = layer.weights.find(({ originalName }) => originalName.split('/').at(-1) === name);
  return weight && weight.read().dataSync<'float32'>();
}

function biasOf(layer: tf.layers.Layer): Float64Array | undefined {
  const bias = weightOf(layer, 'bias');
  return bias && Float64Array.from(bias);
}

export function lowerConv(network: Network, call: GraphNode, x: Draft): Draft {
  const y = linearConv(network, call, call.layer, x);
  return network.activate(call, y, stepsOf(call.layer, configOf(call.layer).activation));
}

export function lowerDepthwise(network: Network, call: GraphNode, x: Draft): Draft {
  const y = linearDepthwise(network, call, call.layer, x);
  return network.activate(call, y, stepsOf(call.layer, configOf(call.layer).activation));
}

/** A depthwise convolution, then one of 1x1. */
export function lowerSeparable(network: Network, call: GraphNode, x: Draft): Draft {
  const { layer } = call;
  const { kernelSize, strides, padding, dilationRate, activation } = configOf(layer);
  const out = shapeOf(call.outputs[0]);
  const depthwiseKernel = weightOf(layer, 'depthwise_kernel')!;
  const channels = depthwiseKernel.length / (kernelSize[0] * kernelSize[1]);
  const window = { size: kernelSize, strides, dilations: dilationRate, padding };
  const between: Shape = { ...out, c: channels };
  const depthwise = network.add('depthwise', call, [x], between, {
    ...windowOf(layer, x.out, out, window),
    weights: depthwiseKernel,
  });
  const pointwise = network.add('conv', call, [depthwise], out, {
    weights: weightOf(layer, 'pointwise_kernel'),
    bias: biasOf(layer),
  });
  return network.activate(call, pointwise, stepsOf(layer, activation));
}

/** Convolution, batch norm, activation and mask are one node. */
export function lowerDynamic(network: Network, call: GraphNode, x: Draft): Draft {
  const layer = call.layer as DynamicLayer;
  if (!(layer instanceof DynamicLayer)) refuse(layer, 'is no layer of this copy of the package');
  const { convolution, batchNormalization, activation, options } = layer;
  const steps = stepsOf(layer, activation);
  if (steps.softmax) refuse(layer, `activation 'softmax' is not supported before a mask`);
  const linear = kindOf(convolution) === 'Conv2D' ? linearConv : linearDepthwise;
  const node = linear(network, call, convolution, x);
  if (batchNormalization !== undefined) {
    const { scale, shift } = normOf(batchNormalization, call);
    scaleOutput(node, scale, shift);
  }
  applySteps(node, steps);
  node.predictor = {
    weights: weightOf(layer, 'predictor_kernel')!,
    bias: weightOf(layer, 'predictor_bias')!,
    average: options.pooling === 'average',
    softmax: options.softmax,
  };
  return node;
}

/** tf's dense layer reads the last dimension: of images it is a convolution of 1x1. */
export function lowerDense(network: Network, call: GraphNode, x: Draft): Draft {
  const { layer, inputs, outputs } = call;
  const kind = inputs[0].shape.length === 2 ? 'dense' : 'conv';
  const node = network.add(kind, call, [x], shapeOf(outputs[0]), {
    weights: weightOf(layer, 'kernel'),
    bias: biasOf(layer),
  });
  return network.activate(call, node, stepsOf(layer, configOf(layer).activation));
}

export function lowerBatchNorm(network: Network, call: GraphNode, x: Draft): Draft {
  const { scale, shift } = normOf(call.layer, call);
  return network.scale(call, x, scale, shift);
}

/** The running statistics of a batch norm as a factor and a term for every channel. */
function normOf(
  layer: tf.layers.Layer,
  call: GraphNode,
): { scale: Float64Array; shift: Float64Array } {
  const { axis, epsilon } = layer.getConfig() as { axis: number; epsilon: number };
  const rank = call.inputs[0].shape.length;
  if (axis !== -1 && axis !== rank - 1) {
    refuse(call.layer, `batch norm must be over the last axis, got axis ${axis} of ${rank}`);
  }
  const mean = weightOf(layer, 'moving_mean')!;
  const variance = weightOf(layer, 'moving_variance')!;
  const gamma = weightOf(layer, 'gamma');
  const beta = weightOf(layer, 'beta');
  const scale = Float64Array.from(variance, (v, c) => (gamma?.[c] ?? 1) / Math.sqrt(v + epsilon));
  const shift = Float64Array.from(mean, (m, c) => (beta?.[c] ?? 0) - m * scale[c]);
  return { scale, shift };
}

/** @param layer the convolution itself, which may be inside the layer that is called */
function linearConv(network: Network, call: GraphNode, layer: tf.layers.Layer, x: Draft): Draft {
  const { kernelSize, strides, padding, dilationRate } = configOf(layer);
  const out = shapeOf(call.outputs[0]);
  const window = { size: kernelSize, strides, dilations: dilationRate, padding };
  return network.add('conv', call, [x], out, {
    ...windowOf(call.layer, x.out, out, window),
    weights: weightOf(layer, 'kernel'),
    bias: biasOf(layer),
  });
}

function linearDepthwise(
  network: Network,
  call: GraphNode,
  layer: tf.layers.Layer,
  x: Draft,
): Draft {
  // tfjs's layer ignores its dilationRate, in the size of its output as well.
  const { kernelSize, strides, padding } = configOf(layer);
  const out = shapeOf(call.outputs[0]);
  return network.add('depthwise', call, [x], out, {
    ...windowOf(call.layer, x.out, out, { size: kernelSize, strides, padding }),
    weights: weightOf(layer, 'depthwise_kernel'),
    bias: biasOf(layer),
  });
}

function configOf(layer: tf.layers.Layer): ConvolutionConfig {
  return layer.getConfig() as unknown as ConvolutionConfig;
}
