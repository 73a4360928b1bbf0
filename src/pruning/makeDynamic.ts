/** Turns a trained network into a dynamic one. */
import * as tf from '@tensorflow/tfjs';
import { check } from '../errors.js';
import { DynamicConv2D, type DynamicConv2dConfig } from '../layers/dynamicConv2d.js';
import {
  DynamicDepthwiseConv2D,
  type DynamicDepthwiseConv2dConfig,
} from '../layers/dynamicDepthwiseConv2d.js';
import type { DynamicLayer } from '../layers/dynamicLayer.js';
import { fullDynamicOptions, type DynamicOptions } from '../layers/dynamicOptions.js';
import { findBlocks, type Block } from './blocks.js';
import { graphOf, sharedLayers, type GraphNode } from './graph.js';

export interface MakeDynamicOptions extends DynamicOptions {
  /** Which Conv2D and DepthwiseConv2D layers become dynamic; default all. */
  include?: (layer: tf.layers.Layer) => boolean;
}

/**
 * A copy of a model in which every convolution with its batch norm and activation is a dynamic layer of the
 * convolution's name. Weights and running statistics are kept; the predictors start with all channels active, so the
 * copy computes what the model computes. The model itself stays usable and shares no variable with the copy.
 *
 * In residual blocks the convolution before the addition is masked before it.
 * @param model functional or Sequential; convolutions are channelsLast and used once; no models inside
 * @throws FtwtError INVALID_ARGUMENT naming the option, or the layer that is not supported
 */
export function makeDynamic(model: tf.LayersModel, options: MakeDynamicOptions): tf.LayersModel {
  check(
    typeof options === 'object' && options !== null,
    () => `makeDynamic: options must be an object such as { mass: 0.9 }, got ${String(options)}`,
  );
  const { include, ...dynamicOptions } = options;
  fullDynamicOptions(dynamicOptions, 'makeDynamic');
  const graph = graphOf(model, 'makeDynamic');
  const blocks = findBlocks(graph, 'makeDynamic', include);
  const [shared] = sharedLayers(graph);
  check(
    shared === undefined,
    () =>
      `makeDynamic: layer "${shared.name}" is used at more than one place, which is not supported`,
  );
  const rebuilt = new Rebuild();
  const blockOf = new Map<GraphNode, Block>();
  blocks.forEach((block) => block.nodes.forEach((node) => blockOf.set(node, block)));
  for (const node of graph.nodes) {
    const block = blockOf.get(node);
    if (block === undefined) rebuilt.copy(node);
    else if (block.convolution === node) rebuilt.replace(block, dynamicOptions);
  }
  return tf.model({
    inputs: model.inputs.map((input) => rebuilt.tensor(input)),
    outputs: model.outputs.map((output) => rebuilt.tensor(output)),
    name: model.name,
  });
}

/** The copy under construction: which new tensor stands for which old one. */
class Rebuild {
  private readonly tensors = new Map<number, tf.SymbolicTensor>();
  private readonly layers = new Map<tf.layers.Layer, tf.layers.Layer>();

  tensor(original: tf.SymbolicTensor): tf.SymbolicTensor {
    return this.tensors.get(original.id)!;
  }

  /** Calls a copy of the node's layer. */
  copy({ layer, inputs, outputs, kwargs }: GraphNode): void {
    if (inputs.length === 0 || layer.getClassName() === 'InputLayer') {
      const { shape, dtype } = outputs[0];
      const input = tf.input({ batchShape: shape, dtype, name: layer.name });
      this.tensors.set(outputs[0].id, input);
      return;
    }
    const copy = this.layers.get(layer) ?? copyOf(layer);
    this.layers.set(layer, copy);
    const results = this.apply(copy, inputs, kwargs);
    outputs.forEach((output, i) => this.tensors.set(output.id, results[i]));
    if (layer.weights.length > 0) copy.setWeights(layer.getWeights());
  }

  /** Calls a dynamic layer in place of a block. */
  replace(block: Block, options: DynamicOptions): void {
    const { convolution, batchNormalization, output } = block;
    const dynamic = dynamicLayerOf(block, options);
    this.tensors.set(output.id, this.apply(dynamic, convolution.inputs)[0]);
    dynamic.convolution.setWeights(convolution.layer.getWeights());
    if (batchNormalization !== undefined) {
      dynamic.batchNormalization!.setWeights(batchNormalization.layer.getWeights());
    }
  }

  private apply(
    layer: tf.layers.Layer,
    inputs: tf.SymbolicTensor[],
    kwargs?: GraphNode['kwargs'],
  ): tf.SymbolicTensor[] {
    const mapped = inputs.map((input) => this.tensor(input));
    const result = layer.apply(mapped.length === 1 ? mapped[0] : mapped, kwargs);
    return (Array.isArray(result) ? result : [result]) as tf.SymbolicTensor[];
  }
}

type Serializable = { fromConfig(cls: unknown, config: tf.serialization.ConfigDict): unknown };

/** A layer of the same class and config. Without `batchInputShape`, so that it makes no input of its own. */
function copyOf(layer: tf.layers.Layer): tf.layers.Layer {
  const layerClass = layer.constructor as unknown as Serializable;
  const config = { ...layer.getConfig() };
  delete config.batchInputShape;
  return layerClass.fromConfig(layerClass, config) as tf.layers.Layer;
}

function dynamicLayerOf(block: Block, options: DynamicOptions): DynamicLayer {
  const { kind, convolution, batchNormalization, activation } = block;
  const config: Record<string, unknown> = {
    ...convolution.layer.getConfig(),
    ...options,
    activation,
    batchNormalization: batchNormalization?.layer.getConfig() ?? null,
  };
  delete config.batchInputShape;
  return kind === 'conv'
    ? new DynamicConv2D(config as unknown as DynamicConv2dConfig)
    : new DynamicDepthwiseConv2D(config as unknown as DynamicDepthwiseConv2dConfig);
}
