/** Lowers one call of a layer, by the layer's class. */
import { kindOf, type GraphNode } from '../pruning/graph.js';
import { stepsOf, unary } from './activations.js';
import {
  lowerBatchNorm,
  lowerConv,
  lowerDense,
  lowerDepthwise,
  lowerDynamic,
  lowerSeparable,
} from './convolutions.js';
import { sameShape, type Draft } from './draft.js';
import { refuse } from './errors.js';
import { clippedRelu, type Network } from './network.js';
import type { Shape } from './plan.js';
import { shapeOf, windowOf } from './shapes.js';

/** Appends what the call computes; returns the value that its output is. */
type Lower = (network: Network, call: GraphNode, x: Draft, inputs: Draft[]) => Draft;

const identity: Lower = (_network, _call, x) => x;

const lowerings: Record<string, Lower> = {
  Conv2D: lowerConv,
  DepthwiseConv2D: lowerDepthwise,
  SeparableConv2D: lowerSeparable,
  FtwtDynamicConv2D: lowerDynamic,
  FtwtDynamicDepthwiseConv2D: lowerDynamic,
  Dense: lowerDense,
  BatchNormalization: lowerBatchNorm,

  Activation: (network, call, x) =>
    network.activate(call, x, stepsOf(call.layer, field(call, 'activation'))),
  ReLU: (network, call, x) => network.activate(call, x, clippedRelu(field(call, 'maxValue'))),
  LeakyReLU: (network, call, x) =>
    network.activate(call, x, { function: unary('LeakyRelu', field(call, 'alpha')) }),
  ELU: (network, call, x) => network.activate(call, x, { function: unary('Elu') }),
  Softmax: lowerSoftmax,

  MaxPooling2D: (network, call, x) => lowerPool(network, call, x, false),
  AveragePooling2D: (network, call, x) => lowerPool(network, call, x, true),
  GlobalMaxPooling2D: (network, call, x) =>
    network.add('globalPool', call, [x], shapeOf(call.outputs[0]), { average: false }),
  GlobalAveragePooling2D: (network, call, x) =>
    network.add('globalPool', call, [x], shapeOf(call.outputs[0]), { average: true }),

  ZeroPadding2D: lowerPadding,
  Add: lowerAdd,
  Concatenate: lowerConcatenate,
  Flatten: lowerReshape,
  Reshape: lowerReshape,
  FtwtChannelPadShortcut: lowerShortcut,

  // In inference these do nothing.
  Dropout: identity,
  SpatialDropout1D: identity,
  SpatialDropout2D: identity,
  GaussianDropout: identity,
  GaussianNoise: identity,
  AlphaDropout: identity,
};

/** @throws FtwtError INVALID_ARGUMENT naming the layer, and what of it is not supported */
export function lowerCall(network: Network, call: GraphNode, inputs: Draft[]): Draft {
  const { layer } = call;
  const kind = kindOf(layer);
  if (!Object.hasOwn(lowerings, kind)) {
    const known = Object.keys(lowerings).join(', ');
    refuse(layer, `this class of layer is not supported; supported are InputLayer, ${known}`);
  }
  if ((layer.getConfig() as { dataFormat?: string }).dataFormat === 'channelsFirst') {
    refuse(layer, 'dataFormat channelsFirst is not supported; expected channelsLast');
  }
  return lowerings[kind](network, call, inputs[0], inputs);
}

/** A field of the layer's config, of a type that its class promises. */
function field<T>({ layer }: GraphNode, name: string): T {
  return layer.getConfig()[name] as T;
}

function lowerPool(network: Network, call: GraphNode, x: Draft, average: boolean): Draft {
  const out = shapeOf(call.outputs[0]);
  const size: number[] = field(call, 'poolSize');
  const window = windowOf(call.layer, x.out, out, {
    ...{ size, strides: field(call, 'strides'), padding: field(call, 'padding') },
  });
  return network.add('pool', call, [x], out, { ...window, average });
}

function lowerSoftmax(network: Network, call: GraphNode, x: Draft): Draft {
  const axes = [field<number | number[]>(call, 'axis')].flat();
  const last = call.inputs[0].shape.length - 1;
  if (axes.length !== 1 || (axes[0] !== -1 && axes[0] !== last)) {
    refuse(call.layer, `softmax must be over the last axis, ${last}, got ${axes.join(', ')}`);
  }
  return network.add('softmax', call, [x], x.out);
}

function lowerPadding(network: Network, call: GraphNode, x: Draft): Draft {
  const out = shapeOf(call.outputs[0]);
  if (sameShape(x.out, out)) return x;
  const [[padTop], [padLeft]] = field<number[][]>(call, 'padding');
  return network.add('pad', call, [x], out, { padTop, padLeft });
}

/** Of more than two, as tfjs does it: ((a + b) + c) + d. */
function lowerAdd(network: Network, call: GraphNode, _x: Draft, inputs: Draft[]): Draft {
  const out = shapeOf(call.outputs[0]);
  const ranks = call.inputs.map(({ shape }) => shape.length);
  if (inputs.some((input, i) => !sameShape(input.out, out) || ranks[i] !== ranks[0])) {
    refuse(call.layer, `addends must be of one shape, got ${inputs.map(shapeText).join(' and ')}`);
  }
  return inputs.reduce((sum, addend) => network.add('add', call, [sum, addend], out));
}

function lowerConcatenate(network: Network, call: GraphNode, _x: Draft, inputs: Draft[]): Draft {
  const axis = field<number>(call, 'axis');
  const last = call.inputs[0].shape.length - 1;
  if (axis !== -1 && axis !== last) {
    refuse(call.layer, `only the last axis, ${last}, can be concatenated along, got ${axis}`);
  }
  return network.add('concat', call, inputs, shapeOf(call.outputs[0]));
}

function lowerReshape(network: Network, call: GraphNode, x: Draft): Draft {
  const out = shapeOf(call.outputs[0]);
  return sameShape(x.out, out) ? x : network.add('reshape', call, [x], out);
}

function lowerShortcut(network: Network, call: GraphNode, x: Draft): Draft {
  const out = shapeOf(call.outputs[0]);
  const strides: number = field(call, 'strides');
  if (strides === 1 && sameShape(x.out, out)) return x;
  return network.add('subsample', call, [x], out, { strideH: strides, strideW: strides });
}

function shapeText({ out }: Draft): string {
  const { h, w, c }: Shape = out;
  return `[${h}, ${w}, ${c}]`;
}
