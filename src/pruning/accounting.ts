/** What a dynamic network computes for one image, as a function of its masks. */
import type * as tf from '@tensorflow/tfjs';
import { channelSources, type ChannelSource } from './channelSources.js';
import { fixedShape, kindOf, type Graph, type GraphNode } from './graph.js';
import {
  convolutionKind,
  convMacs,
  convolutionSizes,
  denseCost,
  depthwiseMacs,
  product,
  separableSizes,
  type ConvolutionSizes,
  type LayerKind,
} from './macs.js';

/** One number counted as the paper does, one as a kernel can. */
export interface MacsPair {
  /** Counted as the paper does, to compare with its table. */
  published: number;
  /** Only what a kernel can really skip, mask predictors included. */
  skippable: number;
}

/** A layer that costs something. */
export interface CountedLayer {
  node: GraphNode;
  name: string;
  kind: LayerKind;
  channels: number;
  /** With all channels computed, without the predictor. */
  macs: number;
  /** Index of the layer's own mask. */
  mask: number | undefined;
  cost(masks: SampleMasks): MacsPair;
}

/** The masks of one image. */
export interface SampleMasks {
  /** How many channels of a mask are active. */
  activeCount(mask: number): number;
  isActive(mask: number, channel: number): boolean;
}

/** A convolution that is, or would be, followed by a mask. */
export interface MaskedCall {
  node: GraphNode;
  /** What the mask is multiplied into. */
  output: tf.SymbolicTensor;
}

/**
 * The costs of all layers. Per layer `activeOut * h'w' * (kh*kw * activeIn/groups + bias)`, dense layers
 * `activeIn * out`, average pooling in full. `activeIn` is what the masks of the layers before leave (see
 * `channelSources`). A depthwise channel that is skippable when its own or its input's mask is 0 counts in `published`
 * by the formula, the product of the two ratios. `skippable` adds every predictor's cIn * cOut.
 *
 * The authors' script differs in three small ways: it leaves the classifier and biases out of the dynamic count, and it
 * rounds activeIn/groups down, so that a depthwise layer with any masked input costs nothing.
 */
export function accountFor(graph: Graph, masked: MaskedCall[], caller: string): CountedLayer[] {
  const maskOf = new Map(masked.map(({ output }, index) => [output.id, index]));
  const ownMask = new Map(masked.map(({ node }, index) => [node, index]));
  const sources = channelSources(graph, maskOf);
  const layers: CountedLayer[] = [];
  for (const node of graph.nodes) {
    const { kind, macs } = denseCost(node, caller);
    if (macs === 0) continue;
    const mask = ownMask.get(node);
    const { published, skippable } = sources.get(node.inputs[0].id)!;
    const outputShape = fixedShape(node.outputs[0], caller);
    const channels = outputShape.at(-1)!;
    if (kindOf(node.layer) === 'SeparableConv2D') {
      layers.push(...separableLayers(node, published, skippable, caller));
      continue;
    }
    let cost = (_: SampleMasks): MacsPair => ({ published: macs, skippable: macs });
    if (convolutionKind(node.layer) !== undefined) {
      const sizes = convolutionSizes(node, caller);
      const of = kind === 'conv' ? convolutionCost : depthwiseCost;
      cost = of(sizes, mask, published, skippable);
    } else if (kind === 'dense') {
      const inputs = node.inputs[0].shape.at(-1)!;
      const outputs = product(outputShape);
      cost = (masks) => ({
        published: outputs * activeIn(published, inputs, masks),
        skippable: outputs * activeIn(skippable, inputs, masks),
      });
    }
    layers.push({ node, name: node.layer.name, kind, channels, macs, mask, cost });
  }
  return layers;
}

/** A SeparableConv2D counts as two layers of one name. The first has no bias, so zeros of its input pass through it. */
function separableLayers(
  node: GraphNode,
  published: ChannelSource,
  skippable: ChannelSource,
  caller: string,
): CountedLayer[] {
  const { depthwise, pointwise } = separableSizes(node, caller);
  const multiplier = depthwise.cOut / depthwise.cIn;
  const between = (source: ChannelSource): ChannelSource =>
    source && { ...source, repeat: source.repeat * multiplier };
  return [
    {
      ...{ node, name: node.layer.name, kind: 'depthwise', channels: depthwise.cOut },
      ...{ macs: depthwiseMacs(depthwise), mask: undefined },
      cost: depthwiseCost(depthwise, undefined, published, skippable),
    },
    {
      ...{ node, name: node.layer.name, kind: 'conv', channels: pointwise.cOut },
      ...{ macs: convMacs(pointwise), mask: undefined },
      cost: convolutionCost(pointwise, undefined, between(published), between(skippable)),
    },
  ];
}

type Cost = CountedLayer['cost'];

function convolutionCost(
  { pixels, taps, cIn, cOut, bias }: ConvolutionSizes,
  mask: number | undefined,
  published: ChannelSource,
  skippable: ChannelSource,
): Cost {
  const predictorMacs = mask === undefined ? 0 : cIn * cOut;
  return (masks) => {
    const perInput = pixels * activeOut(mask, cOut, masks);
    return {
      published: perInput * (taps * activeIn(published, cIn, masks) + bias),
      skippable: perInput * (taps * activeIn(skippable, cIn, masks) + bias) + predictorMacs,
    };
  };
}

function depthwiseCost(
  { pixels, taps, cIn, cOut, bias }: ConvolutionSizes,
  mask: number | undefined,
  published: ChannelSource,
  skippable: ChannelSource,
): Cost {
  const predictorMacs = mask === undefined ? 0 : cIn * cOut;
  const multiplier = cOut / cIn;
  const inputs = channelList(skippable, cIn);
  return (masks) => {
    const out = activeOut(mask, cOut, masks);
    let computed = 0;
    for (let channel = 0; channel < cOut; channel++) {
      const input = inputs[Math.floor(channel / multiplier)];
      const inputActive = input === undefined || masks.isActive(input.mask, input.channel);
      if (inputActive && (mask === undefined || masks.isActive(mask, channel))) computed++;
    }
    return {
      published: pixels * out * ((taps * activeIn(published, cIn, masks)) / cIn + bias),
      skippable: pixels * (taps * computed + bias * out) + predictorMacs,
    };
  };
}

function activeOut(mask: number | undefined, channels: number, masks: SampleMasks): number {
  return mask === undefined ? channels : masks.activeCount(mask);
}

function activeIn(source: ChannelSource, channels: number, masks: SampleMasks): number {
  if (source === undefined) return channels;
  let active = 0;
  for (const segment of source.segments) {
    active += segment.mask === null ? segment.channels : masks.activeCount(segment.mask);
  }
  return active * source.repeat;
}

/** For every channel the mask and the channel of that mask which decide it; undefined where none does. */
function channelList(
  source: ChannelSource,
  channels: number,
): ({ mask: number; channel: number } | undefined)[] {
  if (source === undefined) return new Array<undefined>(channels).fill(undefined);
  return source.segments.flatMap((segment) =>
    Array.from({ length: segment.channels }, (_, channel) =>
      segment.mask === null ? undefined : { mask: segment.mask, channel },
    ),
  );
}
