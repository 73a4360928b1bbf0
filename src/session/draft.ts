/** A plan under construction: nodes that point at each other, with weights that are not rounded yet. */
import type { GraphNode } from '../pruning/graph.js';
import type {
  NodeKind,
  PlanActivation,
  PlanFunction,
  PlanPredictor,
  Shape,
  Window,
} from './plan.js';

/** A node of the plan to be, and the value that it writes. */
export interface Draft extends Window {
  kind: NodeKind | 'image';
  name: string;
  /** The call of a layer that it computes; undefined for the image. */
  call: GraphNode | undefined;
  inputs: Draft[];
  out: Shape;
  average: boolean;
  /** As the layer has them; output channels change fastest. */
  weights: Float32Array | undefined;
  /** [c]: what the weights are multiplied with before they are rounded. Of a scale: all of its weights. */
  gain: Float64Array | undefined;
  bias: Float64Array | undefined; // [c]
  activation: PlanActivation;
  function: PlanFunction | undefined;
  predictor: PlanPredictor | undefined;
  residual: Draft | undefined;
  /** How often other drafts read it, or the model puts it out. */
  uses: number;
}

const noWindow: Window = {
  ...{ kh: 1, kw: 1, strideH: 1, strideW: 1, dilationH: 1, dilationW: 1, padTop: 0, padLeft: 0 },
};

/** A draft with nothing but its required fields, and `rest`. */
export function draft(
  kind: Draft['kind'],
  name: string,
  inputs: Draft[],
  out: Shape,
  rest: Partial<Draft> = {},
): Draft {
  return {
    ...noWindow,
    ...{ kind, name, inputs, out, call: undefined, average: false },
    ...{ weights: undefined, gain: undefined, bias: undefined },
    ...{ activation: 'linear', function: undefined, predictor: undefined, residual: undefined },
    ...rest,
    uses: 0,
  };
}

/** y -> y * scale[c] + shift[c], as part of a linear draft of c output channels. */
export function scaleOutput(node: Draft, scale: Float64Array, shift: Float64Array): void {
  const { gain, bias } = node;
  node.gain = scale.map((factor, c) => (gain?.[c] ?? 1) * factor);
  node.bias = shift.map((term, c) => (bias?.[c] ?? 0) * scale[c] + term);
}

/** The folded weights, rounded once. */
export function roundedWeights({ kind, weights, gain }: Draft): Float32Array | undefined {
  if (kind === 'scale') return Float32Array.from(gain!);
  if (weights === undefined || gain === undefined) return weights;
  const channels = gain.length;
  const rounded = new Float32Array(weights.length);
  for (let row = 0; row < weights.length; row += channels) {
    for (let c = 0; c < channels; c++) rounded[row + c] = weights[row + c] * gain[c];
  }
  return rounded;
}

export function sameShape(a: Shape, b: Shape): boolean {
  return a.h === b.h && a.w === b.w && a.c === b.c;
}
