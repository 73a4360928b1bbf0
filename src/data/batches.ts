/** Batches for training and evaluation: order, augmentation, normalisation. */
import { check } from '../errors.js';
import { checkSeed, createRandom, hash32, permutation } from './random.js';
import { checkSplit } from './split.js';
import type { Split } from './types.js';

/** Random changes to every image, the usual recipe for small images. */
export interface AugmentOptions {
  /**
   * Pad by this many pixels on all sides and crop the original size at a random place. The border is black
   * (byte 0 before normalisation), as in the published training code. Default 0: no crop.
   */
  padCrop?: number;
  /** Mirror left to right with probability 1/2. Default false. */
  flip?: boolean;
}

/** How to cut a split into batches. */
export interface BatchOptions {
  batchSize: number;
  /** Seed of the order; without it, images come in the order of the split. */
  shuffle?: number;
  /** Changes order and augmentation, for the same seed. Default 0. */
  epoch?: number;
  augment?: AugmentOptions;
  /** Seed of the augmentation. Default: `shuffle`, or 0. */
  augmentSeed?: number;
  /** Per channel, in units of [0, 1]. Default 0. */
  mean?: readonly number[];
  /** Per channel, in units of [0, 1]. Default 1. */
  std?: readonly number[];
  /** Leave out a last batch of fewer than `batchSize` images. Default false. */
  dropRemainder?: boolean;
  /** Batches to leave out at the start, to go on in the middle of an epoch. Default 0. */
  start?: number;
}

/** One batch; its arrays are new and belong to whoever takes it. */
export interface Batch {
  /** [n, h, w, c], (byte / 255 - mean) / std. */
  x: Float32Array;
  /** [n] */
  labels: Int32Array;
  shape: [n: number, h: number, w: number, c: number];
}

/** The batches of one epoch. Every iteration over it gives the same batches again. */
export interface BatchSequence extends Iterable<Batch> {
  /** How many batches an iteration gives. */
  readonly length: number;
}

/** Where an image is read from: offset of the crop and direction of its columns. */
interface View {
  dy: number;
  dx: number;
  flip: boolean;
}

const unchanged: View = { dy: 0, dx: 0, flip: false };

/**
 * Cuts `split` into batches. The order depends on (shuffle, epoch) only; what happens to an image depends on
 * (augmentSeed, epoch, index of the image) only, so neither the batch size nor `start` changes it.
 * @throws FtwtError INVALID_ARGUMENT
 */
export function batches(split: Split, options: BatchOptions): BatchSequence {
  checkSplit(split, 'batches');
  checkOptions(split, options);
  const { batchSize, epoch = 0, dropRemainder = false, start = 0 } = options;
  const all = dropRemainder
    ? Math.floor(split.count / batchSize)
    : Math.ceil(split.count / batchSize);
  const tables = normalisationTables(split.shape[2], options);
  return {
    length: Math.max(0, all - start),
    *[Symbol.iterator]() {
      const order =
        options.shuffle === undefined
          ? undefined
          : permutation(split.count, createRandom(options.shuffle, epoch));
      for (let batch = start; batch < all; batch++) {
        const first = batch * batchSize;
        const n = Math.min(batchSize, split.count - first);
        yield assemble(split, n, (i) => order?.[first + i] ?? first + i, tables, options);
      }
    },
  };
}

function assemble(
  split: Split,
  n: number,
  indexOf: (i: number) => number,
  tables: Float32Array,
  options: BatchOptions,
): Batch {
  const [h, w, c] = split.shape;
  const x = new Float32Array(n * h * w * c);
  const labels = new Int32Array(n);
  for (let i = 0; i < n; i++) {
    const index = indexOf(i);
    labels[i] = split.labels[index];
    copyImage(split, index, x, i * h * w * c, tables, viewOf(index, options));
  }
  return { x, labels, shape: [n, h, w, c] };
}

/** Draws the crop and the mirroring of one image. */
function viewOf(index: number, options: BatchOptions): View {
  const { padCrop = 0, flip = false } = options.augment ?? {};
  if (padCrop === 0 && !flip) return unchanged;
  const seed = options.augmentSeed ?? options.shuffle ?? 0;
  const bits = hash32(seed, options.epoch ?? 0, index);
  const places = 2 * padCrop + 1;
  return {
    flip: flip && (bits & 1) === 1,
    dy: ((bits >>> 1) % places) - padCrop,
    dx: (Math.floor((bits >>> 1) / places) % places) - padCrop,
  };
}

/** x[to ...] = the normalised image, row r and column k read from r + dy and k + dx; black outside. */
function copyImage(
  { images, shape: [h, w, c] }: Split,
  index: number,
  x: Float32Array,
  to: number,
  tables: Float32Array,
  { dy, dx, flip }: View,
): void {
  const from = index * h * w * c;
  const step = flip ? -c : c;
  for (let row = 0; row < h; row++) {
    const source = row + dy;
    for (let channel = 0; channel < c; channel++) {
      const table = channel * 256;
      const line = to + row * w * c + channel;
      // First column that reads inside the image, and one past the last.
      const begin = source < 0 || source >= h ? w : Math.min(w, Math.max(0, -dx));
      const end = Math.max(begin, Math.min(w, w - dx));
      for (let k = 0; k < begin; k++) x[line + (flip ? w - 1 - k : k) * c] = tables[table];
      for (let k = end; k < w; k++) x[line + (flip ? w - 1 - k : k) * c] = tables[table];
      let write = line + (flip ? w - 1 - begin : begin) * c;
      let read = from + (source * w + begin + dx) * c + channel;
      for (let k = begin; k < end; k++, write += step, read += c) {
        x[write] = tables[table + images[read]];
      }
    }
  }
}

/** [c, 256]: what every byte of every channel becomes. */
function normalisationTables(channels: number, { mean, std }: BatchOptions): Float32Array {
  const tables = new Float32Array(channels * 256);
  for (let i = 0; i < tables.length; i++) {
    const channel = i >> 8;
    tables[i] = ((i & 255) / 255 - (mean?.[channel] ?? 0)) / (std?.[channel] ?? 1);
  }
  return tables;
}

function checkOptions(split: Split, options: BatchOptions): void {
  const channels = split.shape[2];
  const { batchSize, epoch, mean, std, start = 0, augment, shuffle, augmentSeed } = options;
  check(
    Number.isInteger(batchSize) && batchSize >= 1,
    () => `batches: batchSize must be an integer >= 1, got ${batchSize}`,
  );
  check(
    Number.isInteger(start) && start >= 0,
    () => `batches: start must be an integer >= 0, got ${start}`,
  );
  if (shuffle !== undefined) checkSeed(shuffle, 'batches: shuffle');
  if (augmentSeed !== undefined) checkSeed(augmentSeed, 'batches: augmentSeed');
  if (epoch !== undefined) checkSeed(epoch, 'batches: epoch');
  for (const [name, values] of Object.entries({ mean, std })) {
    check(
      values === undefined || (values.length === channels && values.every(Number.isFinite)),
      () => `batches: ${name} must be ${channels} finite numbers, got [${values?.join(', ')}]`,
    );
  }
  check(
    std === undefined || std.every((value) => value > 0),
    () => `batches: std must be > 0, got [${std?.join(', ')}]`,
  );
  const padCrop = augment?.padCrop ?? 0;
  check(
    Number.isInteger(padCrop) && padCrop >= 0 && padCrop <= Math.min(...split.shape.slice(0, 2)),
    () => `batches: padCrop must be an integer from 0 to the image size, got ${padCrop}`,
  );
}
