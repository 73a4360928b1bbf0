/** Finds what a dynamic layer can replace: convolution [-> batch norm] [-> activation]. */
import type * as tf from '@tensorflow/tfjs';
import { check, FtwtError } from '../errors.js';
import type { DynamicLayerConfig } from '../layers/dynamicLayer.js';
import { kindOf, sharedLayers, type Graph, type GraphNode } from './graph.js';
import { convolutionKind, isDynamic } from './macs.js';

/** A convolution with what follows it; each part is called once. */
export interface Block {
  kind: 'conv' | 'depthwise';
  convolution: GraphNode;
  batchNormalization: GraphNode | undefined;
  /** Of the convolution itself or of a layer after it. */
  activation: NonNullable<DynamicLayerConfig['activation']>;
  /** All calls of the block, the convolution first. */
  nodes: GraphNode[];
  /** What the mask is multiplied with. */
  output: tf.SymbolicTensor;
}

/**
 * The convolutions of a dense model that can become dynamic.
 * @param include which of them should; default all
 * @throws FtwtError INVALID_ARGUMENT for shared convolutions, channelsFirst, layers that are dynamic already, no convolution
 */
export function findBlocks(
  graph: Graph,
  caller: string,
  include: (layer: tf.layers.Layer) => boolean = () => true,
): Block[] {
  const shared = sharedLayers(graph);
  const blocks: Block[] = [];
  for (const node of graph.nodes) {
    const { layer } = node;
    const kind = convolutionKind(layer);
    check(
      !isDynamic(layer),
      () => `${caller}: layer "${layer.name}" is dynamic already; start from the dense model`,
    );
    if (kind === undefined || !include(layer)) continue;
    if (shared.has(layer)) {
      throw new FtwtError(
        'INVALID_ARGUMENT',
        `${caller}: layer "${layer.name}" is used at more than one place, which is not supported; leave it out by include`,
      );
    }
    blocks.push(blockFrom(graph, node, kind, shared, caller));
  }
  check(
    blocks.length > 0,
    () => `${caller}: model "${graph.model.name}" has no convolution to prune`,
  );
  return blocks;
}

function blockFrom(
  graph: Graph,
  convolution: GraphNode,
  kind: 'conv' | 'depthwise',
  shared: Set<tf.layers.Layer>,
  caller: string,
): Block {
  const config = convolution.layer.getConfig() as {
    activation: Block['activation'];
    dataFormat?: string;
  };
  check(
    config.dataFormat !== 'channelsFirst',
    () =>
      `${caller}: layer "${convolution.layer.name}" is channelsFirst; only channelsLast is supported`,
  );
  const nodes = [convolution];
  let { activation } = config;
  let batchNormalization: GraphNode | undefined;
  let next = onlyReader(graph, convolution);
  if (
    activation === 'linear' &&
    next !== undefined &&
    isChannelNorm(next) &&
    !shared.has(next.layer)
  ) {
    batchNormalization = next;
    nodes.push(next);
    next = onlyReader(graph, next);
  }
  if (activation === 'linear' && next !== undefined) {
    const following = activationOf(next.layer);
    if (following !== undefined) {
      activation = following;
      nodes.push(next);
    }
  }
  const output = nodes.at(-1)!.outputs[0];
  return { kind, convolution, batchNormalization, activation, nodes, output };
}

/** The call that reads a node's output, if there is just one and the model does not put the tensor out. */
function onlyReader(graph: Graph, node: GraphNode): GraphNode | undefined {
  const { id } = node.outputs[0];
  const readers = graph.consumers.get(id) ?? [];
  return readers.length === 1 && !graph.outputs.has(id) ? readers[0] : undefined;
}

function isChannelNorm({ layer, inputs }: GraphNode): boolean {
  if (kindOf(layer) !== 'BatchNormalization') return false;
  const { axis } = layer.getConfig() as { axis: number };
  return axis === -1 || axis === inputs[0].shape.length - 1;
}

/** The activation that a layer computes, if it is nothing but one that dynamic layers know by name. */
function activationOf(layer: tf.layers.Layer): Block['activation'] | undefined {
  const config = layer.getConfig() as { activation: Block['activation']; maxValue?: number | null };
  if (kindOf(layer) === 'Activation')
    return config.activation === 'softmax' ? undefined : config.activation;
  if (kindOf(layer) !== 'ReLU') return undefined;
  const maxValue = config.maxValue ?? null;
  return maxValue === null ? 'relu' : maxValue === 6 ? 'relu6' : undefined;
}
