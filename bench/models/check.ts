/** What a dynamic network should give for given masks. */
import * as tf from '@tensorflow/tfjs';
import type { Session } from '../../src/index.js';
import { predict } from '../../src/timing/logits.js';

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
