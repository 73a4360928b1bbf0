/** A tf.LayersModel as a plan for the native executors. */
import type * as tf from '@tensorflow/tfjs';
import { check } from '../errors.js';
import { checkAlive } from '../pruning/checkAlive.js';
import { graphOf, kindOf, type Graph, type GraphNode } from '../pruning/graph.js';
import { draft, roundedWeights, type Draft } from './draft.js';
import { fuse } from './fuse.js';
import { lowerCall } from './layers.js';
import { Network } from './network.js';
import type { Plan, PlanNode } from './plan.js';
import { shapeOf } from './shapes.js';

export interface Lowered {
  plan: Plan;
  /** For every node of the plan, the call of a layer whose multiplications it does. */
  calls: GraphNode[];
  graph: Graph;
}

/**
 * Lowers a model for inference: batch norm folded into the weights in double precision, rounded once; paddings,
 * activations and residual sums part of the convolution before them; dropout gone.
 * Waits for the device where the weights are.
 * @throws FtwtError INVALID_ARGUMENT naming the layer, and what of it is not supported
 */
export function lower(model: tf.LayersModel): Lowered {
  const graph = graphOf(model, 'compile');
  checkAlive('compile', model);
  for (const [name, tensors] of Object.entries({ input: model.inputs, output: model.outputs })) {
    check(
      tensors.length === 1,
      () => `compile: expected a model with one ${name}, got ${tensors.length}`,
    );
  }
  const image = draft('image', 'image', [], shapeOf(model.inputs[0]));
  const network = new Network();
  const values = new Map<number, Draft>();
  for (const call of graph.nodes) {
    const { layer, inputs, outputs } = call;
    const isInput = kindOf(layer) === 'InputLayer';
    const read = inputs.map(({ id }) => values.get(id)!);
    values.set(outputs[0].id, isInput ? image : lowerCall(network, call, read));
  }
  const output = values.get(model.outputs[0].id)!;
  // A plan has at least one node.
  const written = output === image ? copyOf(network, graph, image) : output;
  const fused = fuse(network.drafts, written);
  const indices = new Map([image, ...fused.drafts].map((node, index) => [node, index]));
  const indexOf = (node: Draft): number => indices.get(node)!;
  return {
    plan: {
      input: image.out,
      nodes: fused.drafts.map((node) => planNode(node, indexOf)),
      output: indexOf(fused.output),
    },
    calls: fused.drafts.map(({ call }) => call!),
    graph,
  };
}

function copyOf(network: Network, graph: Graph, image: Draft): Draft {
  return network.add('reshape', graph.nodes.at(-1)!, [image], image.out);
}

function planNode(node: Draft, indexOf: (node: Draft) => number): PlanNode {
  const { kind, name, out, average, activation, bias, predictor, residual } = node;
  const plain: PlanNode = {
    ...{ kind: kind as PlanNode['kind'], name, out, average, activation },
    ...{ kh: node.kh, kw: node.kw, strideH: node.strideH, strideW: node.strideW },
    ...{ dilationH: node.dilationH, dilationW: node.dilationW },
    ...{ padTop: node.padTop, padLeft: node.padLeft },
    inputs: node.inputs.map(indexOf),
  };
  const weights = roundedWeights(node);
  if (weights !== undefined) plain.weights = weights;
  if (bias !== undefined) plain.bias = Float32Array.from(bias);
  if (node.function !== undefined) plain.function = node.function;
  if (predictor !== undefined) plain.predictor = predictor;
  if (residual !== undefined) plain.residual = indexOf(residual);
  return plain;
}
