/**
 * Which masks make which channels of a tensor zero: followed from the masked layers through everything that leaves
 * zeros alone, so that the input channels which the next layer need not read are known.
 */
import type * as tf from '@tensorflow/tfjs';
import { kindOf, type Graph, type GraphNode } from './graph.js';

/** Consecutive channels that are zero where one mask is 0, or (`mask` null) that no mask decides. */
export interface Segment {
  /** Index of the masked layer. */
  mask: number | null;
  channels: number;
}

/** The last dimension of a tensor: the segments, `repeat` times over. Undefined: no channel is known to be zero. */
export type ChannelSource = { segments: Segment[]; repeat: number } | undefined;

export interface ChannelSources {
  /**
   * As the paper counts: the sum of a residual block is taken as sparse as its convolution branch, the last one masked
   * (the authors' code passes that layer's active count on to the next block), although the sum is dense.
   */
  published: ChannelSource;
  /** What really is zero. */
  skippable: ChannelSource;
}

const nothing: ChannelSources = { published: undefined, skippable: undefined };

/**
 * @param maskOf index of the mask that is multiplied into a tensor, by tensor id
 * @returns by tensor id
 */
export function channelSources(
  graph: Graph,
  maskOf: Map<number, number>,
): Map<number, ChannelSources> {
  const sources = new Map<number, ChannelSources>();
  for (const node of graph.nodes) {
    for (const output of node.outputs) {
      const mask = maskOf.get(output.id);
      if (mask !== undefined) {
        const segments = [{ mask, channels: channelsOf(output) }];
        const masked = { segments, repeat: 1 };
        sources.set(output.id, { published: masked, skippable: masked });
      } else {
        const inputs = node.inputs.map(({ id }) => sources.get(id) ?? nothing);
        sources.set(output.id, passedOn(node, inputs));
      }
    }
  }
  return sources;
}

function passedOn(node: GraphNode, inputs: ChannelSources[]): ChannelSources {
  const { layer } = node;
  if ((layer.getConfig() as { dataFormat?: string }).dataFormat === 'channelsFirst') return nothing;
  const kind = kindOf(layer);
  if (kind === 'Add') return { published: lastMasked(inputs), skippable: undefined };
  const both = (pass: (sources: ChannelSource[]) => ChannelSource): ChannelSources => ({
    published: pass(inputs.map(({ published }) => published)),
    skippable: pass(inputs.map(({ skippable }) => skippable)),
  });
  if (kind === 'Concatenate') return both((sources) => concatenated(node, sources));
  if (kind === 'Flatten') {
    const pixels = node.inputs[0].shape.slice(1, -1).reduce<number>((n, size) => n * size!, 1);
    return both(([source]) => source && { ...source, repeat: source.repeat * pixels });
  }
  return leavesZeros(layer) ? inputs[0] : nothing;
}

const zeroPreservingLayers = new Set([
  ...['MaxPooling2D', 'AveragePooling2D', 'GlobalMaxPooling2D', 'GlobalAveragePooling2D'],
  ...['ZeroPadding2D', 'Cropping2D', 'UpSampling2D', 'ActivityRegularization'],
  // In inference these do nothing.
  ...['Dropout', 'SpatialDropout2D', 'GaussianDropout', 'GaussianNoise', 'AlphaDropout'],
  ...['ReLU', 'LeakyReLU', 'ThresholdedReLU', 'PReLU', 'ELU'],
]);

const zeroPreservingActivations = new Set([
  ...['linear', 'relu', 'relu6', 'elu', 'selu', 'tanh', 'softsign', 'swish', 'mish', 'gelu'],
]);

/** True for layers whose output is zero in every channel in which the input is. */
function leavesZeros(layer: tf.layers.Layer): boolean {
  const kind = kindOf(layer);
  if (kind !== 'Activation') return zeroPreservingLayers.has(kind);
  return zeroPreservingActivations.has((layer.getConfig() as { activation: string }).activation);
}

/** The input with the mask that comes last in the network. */
function lastMasked(inputs: ChannelSources[]): ChannelSource {
  let last: ChannelSource;
  let lastMask = -1;
  for (const { published } of inputs) {
    const newest = Math.max(...(published?.segments ?? []).map(({ mask }) => mask ?? -1));
    if (newest > lastMask) [last, lastMask] = [published, newest];
  }
  return last;
}

function concatenated(
  { layer, inputs, outputs }: GraphNode,
  sources: ChannelSource[],
): ChannelSource {
  const { axis } = layer.getConfig() as { axis: number };
  const lastAxis = axis === -1 || axis === outputs[0].shape.length - 1;
  if (!lastAxis || sources.some((source) => source !== undefined && source.repeat !== 1)) {
    return undefined;
  }
  const segments = sources.flatMap(
    (source, i) => source?.segments ?? [{ mask: null, channels: channelsOf(inputs[i]) }],
  );
  return { segments, repeat: 1 };
}

function channelsOf(tensor: tf.SymbolicTensor): number {
  return tensor.shape.at(-1)!;
}
