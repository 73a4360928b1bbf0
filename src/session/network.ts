/** Collects the drafts of a plan while the layers of a model are gone through. */
import type { GraphNode } from '../pruning/graph.js';
import { unary, type Steps } from './activations.js';
import { draft, scaleOutput, type Draft } from './draft.js';
import type { Shape } from './plan.js';

export class Network {
  /** In an order in which inputs come first. */
  readonly drafts: Draft[] = [];

  /** Appends a node that computes (a part of) a layer's call. */
  add(
    kind: Draft['kind'],
    call: GraphNode,
    inputs: Draft[],
    out: Shape,
    rest: Partial<Draft> = {},
  ): Draft {
    const node = draft(kind, call.layer.name, inputs, out, { call, ...rest });
    this.drafts.push(node);
    return node;
  }

  /** Appends x * scale[c] + shift[c]. */
  scale(call: GraphNode, x: Draft, scale: Float64Array, shift: Float64Array): Draft {
    return this.add('scale', call, [x], x.out, { gain: scale, bias: shift });
  }

  /** Appends the steps of an activation as nodes of their own; `fuse` puts them where they belong. */
  activate(call: GraphNode, x: Draft, { scale, function: f, activation, softmax }: Steps): Draft {
    let y = x;
    if (scale !== undefined) {
      const all = (value: number) => new Float64Array(x.out.c).fill(value);
      y = this.scale(call, y, all(scale.scale), all(scale.shift));
    }
    if (f !== undefined) y = this.add('activation', call, [y], x.out, { function: f });
    if (activation !== undefined) y = this.add('activation', call, [y], x.out, { activation });
    if (softmax) y = this.add('softmax', call, [y], x.out);
    return y;
  }
}

/** Makes an activation a part of a linear node. Its softmax is not: that reads all channels. */
export function applySteps(node: Draft, { scale, function: f, activation }: Steps): void {
  if (scale !== undefined) {
    const all = (value: number) => new Float64Array(node.out.c).fill(value);
    scaleOutput(node, all(scale.scale), all(scale.shift));
  }
  node.function = f;
  node.activation = activation ?? 'linear';
}

/** min(max(x, 0), limit). */
export function clippedRelu(limit: number | null | undefined): Steps {
  if (limit === null || limit === undefined) return { activation: 'relu' };
  return limit === 6 ? { activation: 'relu6' } : { function: unary('ClipByValue', 0, limit) };
}
