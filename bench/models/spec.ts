/** What the process that times a contender is told, and what it tells. */

export interface Spec {
  /** Of `networkOf`. */
  network: string;
  contender: ContenderName;
  batch: number;
  threads: number;
}

/** `dynamic50`: our session of the dynamic network, half of the skippable MACs left out. */
export type ContenderName = 'dense' | 'ort' | 'wasm' | `dynamic${number}`;

/** What is known of a contender once it runs and its results are right. */
export interface Facts {
  /** The largest difference of a logit from what it should be, as a share of the largest logit. */
  error: number;
  /** Of the network, all channels computed. */
  denseMacs: number;
  /** Of dynamic contenders: the share of channels that are active in each mask, and the skippable MACs it leaves out. */
  density?: number;
  reduction?: number;
}

export type Answer =
  | { type: 'ready'; facts: Facts }
  | { type: 'times'; milliseconds: number[] }
  | { type: 'failed'; message: string };

/** Runs the contender for some time, at least once. */
export interface Turn {
  milliseconds: number;
}

export function reductionOf(contender: ContenderName): number | undefined {
  const [, percent] = /^dynamic(\d+)$/.exec(contender) ?? [];
  return percent === undefined ? undefined : Number(percent) / 100;
}
