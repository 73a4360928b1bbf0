/** What the logits should be, from tfjs's `model.predict`, and how far others are off. */
import * as tf from '@tensorflow/tfjs';
import type { Precision } from '../binding.js';
import { FtwtError } from '../errors.js';
import { recordMasks } from '../layers/maskRecorder.js';
import type { Session } from '../session/index.js';

/**
 * As a share of the largest logit. Single precision, Winograd's transforms and 56 layers leave 1e-6 to 1e-5; TF32 has
 * 10 bits after the binary point.
 */
export const tolerances: Record<Precision, number> = { fp32: 2e-4, tf32: 2e-2 };

/** @param images [n, ...] @returns [n, ...] */
export function predict(model: tf.LayersModel, images: Float32Array): Float32Array {
  const logits = tf.tidy(() => callModel(model, images));
  const values = logits.dataSync<'float32'>();
  logits.dispose();
  return values;
}

function callModel(model: tf.LayersModel, images: Float32Array): tf.Tensor {
  const shape = model.inputs[0].shape.slice(1) as number[];
  const n = images.length / tf.util.sizeFromShape(shape);
  const x = tf.tensor(images, [n, ...shape], 'float32');
  return model.predict(x, { batchSize: n }) as tf.Tensor;
}

/** @throws Error where a logit is off by more than rounding; @returns by how much it is, of the largest logit */
export function checkedError(
  what: string,
  actual: Float32Array,
  expected: Float32Array,
  tolerance = tolerances.fp32,
): number {
  if (actual.length !== expected.length) {
    throw new Error(`${what}: expected ${expected.length} logits, got ${actual.length}`);
  }
  // Zeros alone are compared as they are.
  const largest = expected.reduce((most, value) => Math.max(most, Math.abs(value)), 0) || 1;
  let error = 0;
  for (const [i, value] of expected.entries()) {
    const difference = Math.abs(actual[i] - value) / largest;
    // NaN fails as well.
    if (!(difference <= tolerance)) {
      throw new Error(`${what}: logit ${i} should be ${value}, got ${actual[i]}`);
    }
    error = Math.max(error, difference);
  }
  return error;
}

/** A contender computes something else than `model.predict`. */
export class WrongResults extends FtwtError {
  constructor(message: string, options?: ErrorOptions) {
    super('INTERNAL', `wrong results: ${message}`, options);
  }
}

/** What `model.predict` says of some images. */
export interface Reference {
  n: number;
  logits: Float32Array; // [n, ...]
  masks: LayerMasks[];
  /** [n]: false where a predictor is so undecided that rounding may turn its mask. */
  decided: boolean[];
}

/** Of one call of a dynamic layer. */
interface LayerMasks {
  layer: string;
  masks: Uint8Array; // [n, channels]
}

/** Of the largest mask logit: closer to 0, single precision does not tell the sign. */
const undecided = 1e-5;

export function reference(model: tf.LayersModel, images: Float32Array): Reference {
  return tf.tidy(() => {
    const { result, records } = recordMasks(() => callModel(model, images));
    const [n] = result.shape;
    const decided = new Array<boolean>(n).fill(true);
    const masks = records.map(({ layer, mask, maskLogits }) => {
      const values = maskLogits.dataSync<'float32'>();
      const largest = values.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
      const channels = values.length / n;
      values.forEach((value, i) => {
        if (Math.abs(value) <= undecided * largest) decided[Math.floor(i / channels)] = false;
      });
      return { layer: layer.name, masks: Uint8Array.from(mask.dataSync()) };
    });
    return { n, logits: result.dataSync<'float32'>().slice(), masks, decided };
  });
}

export interface Agreement {
  /** The largest difference of a logit from what it should be, as a share of the largest logit. */
  error: number;
  images: number;
  /** Of all masks of all images, how many entries rounding has turned. */
  turnedMasks: number;
}

/** More than rounding turns. */
const tooManyTurned: Record<Precision, number> = { fp32: 1e-3, tf32: 2e-2 };

/**
 * Compares a session with its model. Where rounding has turned a mask, the session runs again with the model's masks, so
 * that the logits can be compared.
 * @throws WrongResults where they disagree
 */
export function checkSession(
  session: Session,
  images: Float32Array,
  expected: Reference,
  precision: Precision = 'fp32',
): Agreement {
  const { n, logits } = expected;
  const wanted = masksOf(session, expected);
  const first = session.run(images, { masks: true });
  const turnedMasks = first.masks!.reduce((sum, mask, i) => sum + (mask === wanted[i] ? 0 : 1), 0);
  const entries = n * session.maskWidth;
  if (turnedMasks > tooManyTurned[precision] * entries) {
    throw new WrongResults(
      `${turnedMasks} of ${entries} entries of masks differ from those of model.predict`,
    );
  }
  const run = turnedMasks === 0 ? first : session.run(images, { forcedMasks: wanted });
  try {
    const error = checkedError('model.predict', run.logits, logits, tolerances[precision]);
    return { error, images: n, turnedMasks };
  } catch (cause) {
    throw new WrongResults((cause as Error).message, { cause });
  }
}

/** The masks of the model where the session expects them, [n, maskWidth]. */
function masksOf({ dynamicLayers, maskWidth }: Session, { n, masks }: Reference): Uint8Array {
  const all = new Uint8Array(n * maskWidth);
  const left = [...masks];
  for (const { name, channels, maskOffset } of dynamicLayers) {
    // A layer that is called twice has two records, in the order of the calls.
    const [own] = left.splice(
      left.findIndex(({ layer }) => layer === name),
      1,
    );
    for (let i = 0; i < n; i++) {
      all.set(own.masks.subarray(i * channels, (i + 1) * channels), i * maskWidth + maskOffset);
    }
  }
  return all;
}

/**
 * Compares logits of images whose masks are decided.
 * @throws WrongResults where they disagree; @returns the largest difference, as a share of the largest logit
 */
export function decidedError(actual: Float32Array, { n, logits, decided }: Reference): number {
  const width = logits.length / n;
  const some = decided.some((is) => is);
  const chosen = (values: Float32Array) =>
    some ? values.filter((_, i) => decided[Math.floor(i / width)]) : values;
  try {
    return checkedError('model.predict', chosen(actual), chosen(logits));
  } catch (cause) {
    throw new WrongResults((cause as Error).message, { cause });
  }
}
