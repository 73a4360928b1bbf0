/** Timings of layers and networks on a device: many launches in a row, then one wait, by turns. */
import * as tf from '@tensorflow/tfjs';
import type { Floats, Precision } from '../../src/binding.js';
import { timeByTurns, type Contender } from '../harness.js';
import { buildNetwork, type Layer, type Network } from './networks.js';
import type { Target } from './target.js';

export const densities = [1, 0.7, 0.5, 0.3];

/** Milliseconds of one launch over all rounds. */
export interface LaunchTiming {
  median: number;
  min: number;
  max: number;
  rounds: number;
  /** In each round. */
  launches: number;
}

/** What was timed -> its timing: `forward`, `dx`, `dFilter`, `sparse 0.5` … */
export type Timings = Record<string, LaunchTiming>;

export interface Plan {
  rounds: number;
  /** A round takes about so many milliseconds, at least one launch. */
  roundMs: number;
}

export interface Work {
  name: string;
  launch(): void;
}

/** Times all of `works` by turns. */
export async function timeAll(works: Work[], target: Target, plan: Plan): Promise<Timings> {
  const launches = works.map(({ launch }) => launchesFor(launch, target, plan.roundMs));
  const contenders: Contender[] = works.map(({ name, launch }, i) => ({
    name,
    async run() {
      for (let k = 0; k < launches[i]; k++) launch();
      target.synchronize();
    },
  }));
  const timings = await timeByTurns(contenders, { rounds: plan.rounds });
  return Object.fromEntries(
    timings.map(({ name, median, min, max, rounds }, i) => {
      const each = (ms: number) => ms / launches[i];
      const timing = { median: each(median), min: each(min), max: each(max), rounds };
      return [name, { ...timing, launches: launches[i] }];
    }),
  );
}

/** Warms up, and counts how many launches fill a round. */
function launchesFor(launch: () => void, target: Target, roundMs: number): number {
  launch(); // the first loads code and takes memory
  target.synchronize();
  if (roundMs === 0) return 1;
  let count = 1;
  for (;;) {
    const start = performance.now();
    for (let k = 0; k < count; k++) launch();
    target.synchronize();
    const elapsed = performance.now() - start;
    if (elapsed >= roundMs / 4 || count >= 1024) {
      return Math.max(1, Math.min(1024, Math.round((count * roundMs) / elapsed)));
    }
    count *= 2;
  }
}

/** Forward, both gradients, and the channel-sparse convolution at each density, in the current precision. */
export async function timeLayer(
  target: Target,
  fields: Layer,
  n: number,
  plan: Plan,
): Promise<Timings> {
  const { h, w, cIn, kh, kw, cOut, outH, outW } = fields;
  const shape = { ...fields, n };
  try {
    const x = target.floats(noise(n * h * w * cIn));
    const y = target.floats(noise(n * outH * outW * cOut));
    const filter = target.floats(noise(kh * kw * cIn * cOut));
    const dx = target.floats(new Float32Array(n * h * w * cIn));
    const dFilter = target.floats(new Float32Array(kh * kw * cIn * cOut));
    const { ops } = target;
    const works: Work[] = [
      { name: 'forward', launch: () => ops.conv2d({ ...shape, activation: 0, x, filter, y }) },
      { name: 'dx', launch: () => ops.conv2dBackpropInput({ ...shape, dy: y, filter, dx }) },
      { name: 'dFilter', launch: () => ops.conv2dBackpropFilter({ ...shape, x, dy: y, dFilter }) },
      ...densities.map((density): Work => {
        // Images are never masked.
        const inputMask = mask(target, n, cIn, cIn <= 3 ? 1 : density);
        const outputMask = mask(target, n, cOut, density);
        const masked = { ...shape, inputMask, outputMask, x, filter, y };
        return { name: `sparse ${density}`, launch: () => ops.channelSparseConv2d(masked) };
      }),
    ];
    return await timeAll(works, target, plan);
  } finally {
    target.release();
  }
}

/** The prediction of a network through tfjs, in the current precision. */
export async function timeNetwork(
  target: Target,
  network: Network,
  n: number,
  plan: Plan,
): Promise<Timings> {
  const model = buildNetwork(network);
  const x = tf.randomUniform([n, ...network.input]);
  try {
    const launch = () => tf.tidy(() => void model.predict(x));
    return await timeAll([{ name: 'forward', launch }], target, plan);
  } finally {
    x.dispose();
    model.dispose();
  }
}

/** Exactly `density` of the channels of every sample, at random. */
function mask(target: Target, n: number, c: number, density: number): Floats {
  const active = Math.max(1, Math.round(density * c));
  const values = new Float32Array(n * c);
  for (let i = 0; i < n; i++) {
    const row = Array.from({ length: c }, (_, k) => Number(k < active));
    tf.util.shuffle(row);
    values.set(row, i * c);
  }
  return target.floats(values);
}

/** In [-1, 1); a block of random values, again and again: large tensors are quickly there. */
function noise(length: number): Float32Array {
  const values = new Float32Array(length);
  const random = Math.min(length, 65_521);
  for (let i = 0; i < random; i++) values[i] = 2 * Math.random() - 1;
  for (let filled = random; filled < length; filled *= 2) values.copyWithin(filled, 0, filled);
  return values;
}

export type ByPrecision = Partial<Record<Precision, Timings>>;
