/** A network as the native executors take it: nodes over values, in the order of execution. See native/session/plan.h. */
import { nativeActivations } from '../backend/kernels/activation.js';
import { unaryOps } from '../backend/kernels/unary.js';
import type { PlanFields } from '../binding.js';

/** In the order of `NodeKind` in native/session/plan.h. */
export const nodeKinds = [
  'conv',
  'depthwise',
  'dense',
  'pool',
  'globalPool',
  'add',
  'concat',
  'pad',
  'activation',
  'scale',
  'softmax',
  'subsample',
  'reshape',
] as const;

export type NodeKind = (typeof nodeKinds)[number];
export type PlanActivation = (typeof nativeActivations)[number];

/** Of one image; a vector has h = w = 1. */
export interface Shape {
  h: number;
  w: number;
  c: number;
}

/** An element-wise function beside the fused activations. */
export interface PlanFunction {
  op: (typeof unaryOps)[number];
  alpha: number;
  beta: number;
}

/** What decides which output channels are computed. */
export interface PlanPredictor {
  weights: Float32Array; // [cIn, cOut]
  bias: Float32Array; // [cOut]
  average: boolean;
  softmax: boolean;
}

/** Where the windows of a node lie on its input. */
export interface Window {
  kh: number;
  kw: number;
  strideH: number;
  strideW: number;
  dilationH: number;
  dilationW: number;
  padTop: number;
  padLeft: number;
}

/** Node i writes value i + 1; value 0 is the image. */
export interface PlanNode extends Window {
  kind: NodeKind;
  /** Of the layer. */
  name: string;
  inputs: number[];
  out: Shape;
  average: boolean;
  weights?: Float32Array;
  bias?: Float32Array;
  activation: PlanActivation;
  function?: PlanFunction;
  predictor?: PlanPredictor;
  /** A value that is added before the activation. */
  residual?: number;
}

export interface Plan {
  input: Shape;
  nodes: PlanNode[];
  /** The value that a run returns. */
  output: number;
}

/** The plan with indices in place of names. */
export function encode({ input, nodes, output }: Plan): PlanFields {
  return {
    input,
    output,
    nodes: nodes.map((node) => ({
      ...node,
      kind: nodeKinds.indexOf(node.kind),
      inputs: Int32Array.from(node.inputs),
      activation: nativeActivations.indexOf(node.activation),
      function: node.function && { ...node.function, op: unaryOps.indexOf(node.function.op) },
    })),
  };
}
