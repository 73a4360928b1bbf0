/** A tfjs model (functional or Sequential) as a list of its layer calls. */
import type * as tf from '@tensorflow/tfjs';
import { check, FtwtError } from '../errors.js';

/** One call of a layer. */
export interface GraphNode {
  layer: tf.layers.Layer;
  inputs: tf.SymbolicTensor[];
  outputs: tf.SymbolicTensor[];
  kwargs?: NonNullable<Parameters<tf.layers.Layer['apply']>[1]>;
}

export interface Graph {
  model: tf.LayersModel;
  /** Every call that leads to an output, inputs first. */
  nodes: GraphNode[];
  /** The calls that read a tensor, by the tensor's id. */
  consumers: Map<number, GraphNode[]>;
  /** Ids of the model's output tensors. */
  outputs: Set<number>;
}

/**
 * Lists the calls of a model in topological order.
 * @throws FtwtError INVALID_ARGUMENT if `model` is no LayersModel, is not built, or holds another model as a layer
 */
export function graphOf(model: tf.LayersModel, caller: string): Graph {
  check(
    typeof model === 'object' && model !== null && Array.isArray(model.layers),
    () => `${caller}: model must be a tf.LayersModel, got ${describe(model)}`,
  );
  check(
    Array.isArray(model.outputs) && model.outputs.length > 0,
    () =>
      `${caller}: model "${model.name}" has no outputs: build it first (give its first layer an inputShape)`,
  );
  const nodes: GraphNode[] = [];
  const consumers = new Map<number, GraphNode[]>();
  const seen = new Set<number>();
  const visit = (tensor: tf.SymbolicTensor): void => {
    if (seen.has(tensor.id)) return;
    const layer = tensor.sourceLayer;
    check(
      !('layers' in layer),
      () => `${caller}: models inside a model are not supported (layer "${layer.name}")`,
    );
    const call = layer.inboundNodes[tensor.nodeIndex];
    const node: GraphNode = { layer, inputs: call.inputTensors, outputs: call.outputTensors };
    if (call.callArgs) node.kwargs = call.callArgs;
    node.outputs.forEach((output) => seen.add(output.id));
    for (const input of node.inputs) {
      visit(input);
      const readers = consumers.get(input.id);
      if (readers === undefined) consumers.set(input.id, [node]);
      else readers.push(node);
    }
    nodes.push(node);
  };
  model.outputs.forEach(visit);
  return { model, nodes, consumers, outputs: new Set(model.outputs.map(({ id }) => id)) };
}

/** The class name of a layer, as it is saved. */
export function kindOf(layer: tf.layers.Layer): string {
  return layer.getClassName();
}

/** Layers with weights that appear at more than one place. */
export function sharedLayers(graph: Graph): Set<tf.layers.Layer> {
  const seen = new Set<tf.layers.Layer>();
  const shared = new Set<tf.layers.Layer>();
  for (const { layer } of graph.nodes) {
    if (seen.has(layer) && layer.weights.length > 0) shared.add(layer);
    seen.add(layer);
  }
  return shared;
}

/** The dimensions of a tensor but the batch. @throws FtwtError where one is not fixed */
export function fixedShape(tensor: tf.SymbolicTensor, caller: string): number[] {
  return tensor.shape.slice(1).map((size) => {
    if (size === null) {
      throw new FtwtError(
        'INVALID_ARGUMENT',
        `${caller}: needs fixed sizes, but layer "${tensor.sourceLayer.name}" puts out [${tensor.shape.map((s) => s ?? '?').join(', ')}]`,
      );
    }
    return size;
  });
}

function describe(value: unknown): string {
  if (value === null || typeof value !== 'object') return String(value);
  return value.constructor?.name ?? 'an object';
}
