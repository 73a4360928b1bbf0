/** What a run computes, by the rules of `countMacs` and `measureMacs`. */
import { accountFor, type CountedLayer, type SampleMasks } from '../pruning/accounting.js';
import { isDynamic } from '../pruning/macs.js';
import type { SampleMacs } from '../pruning/tally.js';
import type { Lowered } from './lower.js';

/** Where the mask of a node lies in one image's masks. */
interface MaskSlot {
  offset: number;
  width: number;
}

export interface NodeMacs {
  /** Of one image, all channels computed, without the predictor. */
  dense: number;
  /** Of one image, what a kernel cannot skip, predictor included; mean over the images. */
  active: number;
}

/** The masks of the images of one run, [n, width], in the order of the plan. */
export interface RunMasks {
  masks: Uint8Array;
  n: number;
}

export class RunAccounts {
  /** Of one image, all channels computed, without predictors. */
  readonly dense: number;
  readonly maskWidth: number;
  private readonly layers: CountedLayer[];
  /** By the index that `accountFor` knows a mask by: the order of the model's graph. */
  private readonly slots: MaskSlot[];
  /** For every node of the plan, the layer that counts it. */
  private readonly layerOf: (CountedLayer | undefined)[];

  constructor({ plan, calls, graph }: Lowered) {
    const dynamicCalls = graph.nodes.filter(({ layer }) => isDynamic(layer));
    const masked = dynamicCalls.map((node) => ({ node, output: node.outputs[0] }));
    this.layers = accountFor(graph, masked, 'compile');
    this.dense = this.layers.reduce((total, { macs }) => total + macs, 0);
    const slotOf = new Map(dynamicCalls.map((call) => [call, { offset: 0, width: 0 }]));
    let width = 0;
    plan.nodes.forEach(({ predictor, out }, i) => {
      if (predictor === undefined) return;
      slotOf.set(calls[i], { offset: width, width: out.c });
      width += out.c;
    });
    this.maskWidth = width;
    this.slots = dynamicCalls.map((call) => slotOf.get(call)!);
    this.layerOf = plan.nodes.map(({ kind }, i) => {
      const counted = this.layers.filter(({ node }) => node === calls[i]);
      return counted.length === 1
        ? onlyOnce(counted[0], kind)
        : counted.find((c) => c.kind === kind);
    });
  }

  /** MACs of each image. */
  count(run: RunMasks): SampleMacs {
    const total = { published: new Float64Array(run.n), skippable: new Float64Array(run.n) };
    for (let sample = 0; sample < run.n; sample++) {
      const masks = this.sampleMasks(run.masks, sample);
      for (const layer of this.layers) {
        const { published, skippable } = layer.cost(masks);
        total.published[sample] += published;
        total.skippable[sample] += skippable;
      }
    }
    return total;
  }

  /** For every node of the plan; zero where it only moves or compares numbers. */
  countNodes({ masks, n }: RunMasks): NodeMacs[] {
    const samples = Array.from({ length: n }, (_, sample) => this.sampleMasks(masks, sample));
    return this.layerOf.map((layer) => {
      if (layer === undefined) return { dense: 0, active: 0 };
      const sum = samples.reduce((total, sample) => total + layer.cost(sample).skippable, 0);
      return { dense: layer.macs, active: sum / n };
    });
  }

  private sampleMasks(masks: Uint8Array, sample: number): SampleMasks {
    const start = sample * this.maskWidth;
    const counts = this.slots.map(({ offset, width }) => {
      let count = 0;
      for (let c = 0; c < width; c++) count += masks[start + offset + c];
      return count;
    });
    return {
      activeCount: (mask) => counts[mask],
      isActive: (mask, channel) => masks[start + this.slots[mask].offset + channel] > 0,
    };
  }
}

const counting = ['conv', 'depthwise', 'dense', 'pool', 'globalPool'];

/** A call may be several nodes (its softmax, say); the multiplications are one node's. */
function onlyOnce(layer: CountedLayer, kind: string): CountedLayer | undefined {
  return counting.includes(kind) ? layer : undefined;
}
