/** Writes a lowered network as an ONNX file, so that other runtimes can run it. */
import type * as tf from '@tensorflow/tfjs';
import { check } from '../errors.js';
import { lower } from '../session/lower.js';
import type { NodeKind, Plan, PlanNode, PlanPredictor, Shape } from '../session/plan.js';
import { appendActivation, appendFunction } from './functions.js';
import { OnnxGraph } from './onnxGraph.js';
import { convWeights, denseWeights, depthwiseWeights } from './weights.js';

/**
 * A trained network, dense or dynamic, as the bytes of an ONNX file (operator set 17), batch norm folded as in
 * `compile`. Its input `images` is [n, h, w, c], its output `logits` [n, c] (images: [n, h, w, c]), n any number.
 * A dynamic network's predictors and masks are part of it: all channels are computed, then multiplied by the mask.
 * @throws FtwtError INVALID_ARGUMENT naming the layer that is not supported
 * @example writeFileSync('model.onnx', toOnnx(model))
 */
export function toOnnx(model: tf.LayersModel): Uint8Array {
  return planToOnnx(lower(model).plan);
}

/** As `toOnnx`. */
export function planToOnnx(plan: Plan): Uint8Array {
  return new OnnxWriter(plan).finish();
}

/** A value of the plan: `map` is [n, c, h, w], `vector` [n, c]. */
interface Value {
  name: string;
  shape: Shape;
  form: 'map' | 'vector';
}

class OnnxWriter {
  readonly graph = new OnnxGraph();
  private readonly values: Value[];

  constructor(private readonly plan: Plan) {
    const { h, w, c } = plan.input;
    this.graph.input('images', ['n', h, w, c]);
    this.values = [this.fromNhwc('images', plan.input)];
    for (const node of plan.nodes) this.values.push(this.write(node));
  }

  finish(): Uint8Array {
    const output = this.values[this.plan.output];
    const { h, w, c } = output.shape;
    if (h * w === 1) this.graph.output(this.vector(output), 'logits', ['n', c]);
    else this.graph.output(this.toNhwc(output), 'logits', ['n', h, w, c]);
    return this.graph.finish('network');
  }

  private write(node: PlanNode): Value {
    const linear = writers[node.kind].call(this, node);
    const { form, shape } = linear;
    return { name: this.finished(node, linear.name), form, shape };
  }

  /** What follows the sums: see `Node` in native/session/plan.h. */
  private finished(node: PlanNode, sums: string): string {
    const { graph } = this;
    const mask = node.predictor && this.mask(node.predictor, node);
    const masked = (x: string) => (mask === undefined ? x : graph.node('Mul', [x, mask]));
    if (node.residual !== undefined) {
      const sum = graph.node('Add', [masked(sums), this.map(this.values[node.residual])]);
      return appendActivation(graph, sum, node.activation);
    }
    if (node.kind === 'activation') {
      return appendFunction(graph, appendActivation(graph, sums, node.activation), node.function);
    }
    const y = appendFunction(graph, sums, node.function);
    return masked(appendActivation(graph, y, node.activation));
  }

  /** [n, cOut, 1, 1] of 0 and 1. */
  private mask({ weights, bias, average, softmax }: PlanPredictor, node: PlanNode): string {
    const { graph } = this;
    const x = this.input(node);
    const cOut = node.out.c;
    const pooled = graph.node(average ? 'GlobalAveragePool' : 'GlobalMaxPool', [this.map(x)]);
    const flat = graph.node('Flatten', [pooled]);
    const features = softmax ? graph.node('Softmax', [flat], { axis: { int: 1 } }) : flat;
    const kernel = graph.floats(weights, [x.shape.c, cOut]);
    const logits = graph.node('Gemm', [features, kernel, graph.floats(bias, [cOut])]);
    const active = graph.node('Greater', [logits, graph.floats(Float32Array.of(0), [])]);
    const mask = graph.node('Cast', [active], { to: { int: 1 } });
    return this.reshape(mask, [0, cOut, 1, 1]);
  }

  input(node: PlanNode): Value {
    return this.values[node.inputs[0]];
  }

  reshape(x: string, shape: number[]): string {
    return this.graph.node('Reshape', [x, this.graph.integers(shape)]);
  }

  /** The value as [n, c, h, w]. */
  map({ name, form, shape: { h, w, c } }: Value): string {
    return form === 'map' ? name : this.reshape(name, [0, c, h, w]);
  }

  /** The value, of one pixel, as [n, c]. */
  vector({ name, form }: Value): string {
    return form === 'vector' ? name : this.graph.node('Flatten', [name]);
  }

  toNhwc(value: Value): string {
    const { h, w, c } = value.shape;
    if (h * w === 1) return this.reshape(value.name, [0, h, w, c]);
    return this.graph.node('Transpose', [this.map(value)], { perm: { ints: [0, 2, 3, 1] } });
  }

  fromNhwc(name: string, shape: Shape): Value {
    const { h, w, c } = shape;
    const map =
      h * w === 1
        ? this.reshape(name, [0, c, 1, 1])
        : this.graph.node('Transpose', [name], { perm: { ints: [0, 3, 1, 2] } });
    return { name: map, form: 'map', shape };
  }

  /** A node of maps, from one map. */
  one(node: PlanNode, op: string, rest: string[] = [], attributes = {}): Value {
    const name = this.graph.node(op, [this.map(this.input(node)), ...rest], attributes);
    return { name, form: 'map', shape: node.out };
  }

  /** [weights, bias], the bias where there is one. */
  parameters({ weights, bias }: PlanNode, shape: number[], ordered = weights!): string[] {
    const names = [this.graph.floats(ordered, shape)];
    if (bias !== undefined) names.push(this.graph.floats(bias, [bias.length]));
    return names;
  }

  all(node: PlanNode): string[] {
    return node.inputs.map((input) => this.map(this.values[input]));
  }
}

/** Appends what a node computes before its function, activation and mask. */
type Write = (this: OnnxWriter, node: PlanNode) => Value;

const writers: Record<NodeKind, Write> = {
  conv(node) {
    const { kh, kw, out } = node;
    const cIn = this.input(node).shape.c;
    const weights = convWeights(node.weights!, kh * kw, cIn, out.c);
    const parameters = this.parameters(node, [out.c, cIn, kh, kw], weights);
    return this.one(node, 'Conv', parameters, windows(node, this.input(node).shape));
  },
  depthwise(node) {
    const { kh, kw, out } = node;
    const { shape } = this.input(node);
    const weights = depthwiseWeights(node.weights!, kh * kw, out.c);
    const parameters = this.parameters(node, [out.c, 1, kh, kw], weights);
    return this.one(node, 'Conv', parameters, {
      ...windows(node, shape),
      group: { int: shape.c },
    });
  },
  dense(node) {
    const x = this.input(node);
    const weights = denseWeights(node.weights!, x.shape, node.out.c);
    const parameters = this.parameters(node, [weights.length / node.out.c, node.out.c], weights);
    const flat = x.form === 'vector' ? x.name : this.graph.node('Flatten', [x.name]);
    return {
      name: this.graph.node('Gemm', [flat, ...parameters]),
      form: 'vector',
      shape: node.out,
    };
  },
  pool(node) {
    const { kernel_shape, strides, pads } = windows(node, this.input(node).shape);
    const attributes = { kernel_shape, strides, pads };
    return this.one(node, node.average ? 'AveragePool' : 'MaxPool', [], attributes);
  },
  globalPool(node) {
    return this.one(node, node.average ? 'GlobalAveragePool' : 'GlobalMaxPool');
  },
  add(node) {
    return { name: this.graph.node('Add', this.all(node)), form: 'map', shape: node.out };
  },
  concat(node) {
    const name = this.graph.node('Concat', this.all(node), { axis: { int: 1 } });
    return { name, form: 'map', shape: node.out };
  },
  pad(node) {
    const { padTop, padLeft, out } = node;
    const { h, w } = this.input(node).shape;
    const after = [out.h - h - padTop, out.w - w - padLeft];
    return this.one(node, 'Pad', [this.graph.integers([0, 0, padTop, padLeft, 0, 0, ...after])]);
  },
  activation(node) {
    return this.input(node);
  },
  scale(node) {
    const shape = [node.out.c, 1, 1];
    const scaled = this.one(node, 'Mul', [this.graph.floats(node.weights!, shape)]);
    if (node.bias === undefined) return scaled;
    const name = this.graph.node('Add', [scaled.name, this.graph.floats(node.bias, shape)]);
    return { ...scaled, name };
  },
  softmax(node) {
    return this.one(node, 'Softmax', [], { axis: { int: 1 } });
  },
  subsample(node) {
    const { h, w, c } = this.input(node).shape;
    const slice = [
      [0, 0],
      [h, w],
      [2, 3],
      [node.strideH, node.strideW],
    ];
    const pixels = this.one(
      node,
      'Slice',
      slice.map((values) => this.graph.integers(values)),
    );
    if (c === node.out.c) return pixels;
    const pads = this.graph.integers([0, 0, 0, 0, 0, node.out.c - c, 0, 0]);
    return { ...pixels, name: this.graph.node('Pad', [pixels.name, pads]) };
  },
  reshape(node) {
    const { h, w, c } = node.out;
    return this.fromNhwc(this.reshape(this.toNhwc(this.input(node)), [0, h, w, c]), node.out);
  },
};

/** The attributes of a window. ONNX finds the size of the output itself: the padding after must fit it. */
function windows(node: PlanNode, input: Shape) {
  const { kh, kw, strideH, strideW, dilationH, dilationW, padTop, padLeft, out, name } = node;
  const after = (size: number, count: number, k: number, stride: number, before: number) => {
    const pad = Math.max(0, (count - 1) * stride + k - size - before);
    const found = Math.floor((size + before + pad - k) / stride) + 1;
    check(
      found === count,
      () => `toOnnx: "${name}" leaves out windows: ${count} of ${found} in a row or column`,
    );
    return pad;
  };
  const bottom = after(input.h, out.h, (kh - 1) * dilationH + 1, strideH, padTop);
  const right = after(input.w, out.w, (kw - 1) * dilationW + 1, strideW, padLeft);
  return {
    kernel_shape: { ints: [kh, kw] },
    strides: { ints: [strideH, strideW] },
    dilations: { ints: [dilationH, dilationW] },
    pads: { ints: [padTop, padLeft, bottom, right] },
  };
}
