/** What the logits should be, from tfjs's `model.predict`. */
import * as tf from '@tensorflow/tfjs';
import type { Session } from '../../src/index.js';

/** As a share of the largest logit. Single precision, Winograd's transforms and 56 layers leave 1e-6 to 1e-5. */
const tolerance = 2e-4;

/** @param images [n, ...] @returns [n, ...] */
export function predict(model: tf.LayersModel, images: Float32Array): Float32Array {
  const shape = model.inputs[0].shape.slice(1) as number[];
  const n = images.length / tf.util.sizeFromShape(shape);
  return tf.tidy(() => {
    const x = tf.tensor(images, [n, ...shape], 'float32');
    return (model.predict(x, { batchSize: n }) as tf.Tensor).dataSync<'float32'>();
  });
}

/** @throws Error where a logit is off by more than rounding; @returns by how much it is, of the largest logit */
export function checkedError(what: string, actual: Float32Array, expected: Float32Array): number {
  if (actual.length !== expected.length) {
    throw new Error(`${what}: expected ${expected.length} logits, got ${actual.length}`);
  }
  let largest = 0;
  for (const value of expected) largest = Math.max(largest, Math.abs(value));
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

interface Masked {
  images: Float32Array; // [batch, ...]
  masks: Uint8Array; // [batch, maskWidth], of the session's dynamic layers
  /** How many of the images. */
  n: number;
  session: Session;
}

/**
 * What the network gives where channels are left out: for each image, the dense network is given batch norms that put
 * out 0 there.
 * @returns [n, ...]
 */
export function maskedLogits(
  dense: tf.LayersModel,
  { images, masks, n, session }: Masked,
): Float32Array {
  const imageSize = images.length / (masks.length / session.maskWidth);
  const rows = Array.from({ length: n }, (_, sample) => {
    const mask = masks.subarray(sample * session.maskWidth, (sample + 1) * session.maskWidth);
    const restore = session.dynamicLayers.map(({ name, channels, maskOffset }) =>
      maskNorm(dense.getLayer(`${name}_bn`), mask.subarray(maskOffset, maskOffset + channels)),
    );
    const logits = predict(dense, images.subarray(sample * imageSize, (sample + 1) * imageSize));
    restore.forEach((undo) => undo());
    return [...logits];
  });
  return Float32Array.from(rows.flat());
}

/** @returns a function that takes it back */
function maskNorm(norm: tf.layers.Layer, mask: Uint8Array): () => void {
  const [gamma, beta, ...statistics] = norm.getWeights().map((weight) => weight.clone());
  tf.tidy(() => {
    const kept = tf.tensor1d(Float32Array.from(mask));
    norm.setWeights([gamma.mul(kept), beta.mul(kept), ...statistics]);
  });
  return () => {
    norm.setWeights([gamma, beta, ...statistics]);
    tf.dispose([gamma, beta, ...statistics]);
  };
}
