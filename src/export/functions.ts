/** Activations and element-wise functions of a plan as ONNX nodes. */
import type { PlanActivation, PlanFunction } from '../session/plan.js';
import type { OnnxGraph } from './onnxGraph.js';

/** Appends f(x); returns its name. */
type Append = (graph: OnnxGraph, x: string, f: PlanFunction) => string;

/** A node without attributes, of the same meaning. */
const same =
  (op: string): Append =>
  (graph, x) =>
    graph.node(op, [x]);

const scalar = (graph: OnnxGraph, value: number) => graph.floats(Float32Array.of(value), []);

const functions: Record<PlanFunction['op'], Append> = {
  Relu: same('Relu'),
  Relu6: (graph, x) => clip(graph, x, 0, 6),
  Step: (graph, x, { alpha }) =>
    graph.node('Where', [
      graph.node('Greater', [x, scalar(graph, 0)]),
      scalar(graph, 1),
      scalar(graph, alpha),
    ]),
  ClipByValue: (graph, x, { alpha, beta }) => clip(graph, x, alpha, beta),
  LeakyRelu: (graph, x, { alpha }) => graph.node('LeakyRelu', [x], { alpha: { float: alpha } }),
  Elu: same('Elu'),
  Neg: same('Neg'),
  Abs: same('Abs'),
  Square: (graph, x) => graph.node('Mul', [x, x]),
  Sqrt: same('Sqrt'),
  Rsqrt: (graph, x) => graph.node('Reciprocal', [graph.node('Sqrt', [x])]),
  Reciprocal: same('Reciprocal'),
  Floor: same('Floor'),
  Exp: same('Exp'),
  Log: same('Log'),
  Log1p: (graph, x) => graph.node('Log', [graph.node('Add', [x, scalar(graph, 1)])]),
  Sigmoid: same('Sigmoid'),
  Tanh: same('Tanh'),
  Softplus: same('Softplus'),
};

export function appendFunction(graph: OnnxGraph, x: string, f: PlanFunction | undefined): string {
  return f === undefined ? x : functions[f.op](graph, x, f);
}

export function appendActivation(graph: OnnxGraph, x: string, activation: PlanActivation): string {
  if (activation === 'linear') return x;
  return activation === 'relu' ? graph.node('Relu', [x]) : clip(graph, x, 0, 6);
}

function clip(graph: OnnxGraph, x: string, low: number, high: number): string {
  return graph.node('Clip', [x, scalar(graph, low), scalar(graph, high)]);
}
