/** What one run of a session gives. */
import type { RunAccounts } from './macs.js';

/** Multiply-accumulates of the images of one run. */
export interface RunMacs {
  /** Of one image, all channels computed, without predictors: `countMacs(model).total`. */
  dense: number;
  /** [n]: of each image, counted as the paper does. */
  published: Float64Array;
  /** [n]: of each image, only what a kernel can really skip, predictors included. */
  skippable: Float64Array;
}

export class RunResult {
  private readonly accounts: RunAccounts;
  private readonly allMasks: Uint8Array;

  /** @internal */
  constructor(
    /** [n, ...], as the model's output, row by row. */
    readonly logits: Float32Array,
    /** Of the logits, n included. */
    readonly shape: number[],
    /** n. */
    readonly batch: number,
    /** [n, dynamic layers]: how many channels were computed, in the order of `session.dynamicLayers`. */
    readonly activeCounts: Int32Array,
    /** [n, maskWidth], 1 = active: the masks of `session.dynamicLayers` side by side; where they were asked for. */
    readonly masks: Uint8Array | undefined,
    internals: { accounts: RunAccounts; masks: Uint8Array },
  ) {
    this.accounts = internals.accounts;
    this.allMasks = internals.masks;
  }

  /** Counted when it is asked for, from the masks of the run: the figures of `measureMacs`. */
  get macs(): RunMacs {
    const { accounts, allMasks, batch } = this;
    return { dense: accounts.dense, ...accounts.count({ masks: allMasks, n: batch }) };
  }
}
