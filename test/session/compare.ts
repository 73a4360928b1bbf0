/** Compares a session with its model on real images, and looks into every mask that differs. */
import * as tf from '@tensorflow/tfjs';
import type { Session } from '../../src/index.js';
import { predict } from './oracle.js';

/** A channel that one of both computes and the other does not. */
export interface Mismatch {
  layer: string;
  image: number;
  channel: number;
  /** What the model's predictor says, relative to the largest addend that it may have: 1e-7 is a rounding error. */
  relativeMaskLogit: number;
}

export interface Comparison {
  /** The largest difference of logits, relative to the largest logit; without the images of `mismatches`. */
  logitError: number;
  /** How many decisions were compared. */
  decisions: number;
  /** How many of them are active. */
  active: number;
  /** In the first layer that differs for an image: what follows reads other values. */
  mismatches: Mismatch[];
}

/** @param x images [n, h, w, c], n up to the session's `maxBatch` */
export function compare(model: tf.LayersModel, session: Session, x: tf.Tensor): Comparison {
  const { logits, masks } = session.run(x, { masks: true });
  const expected = predict(model, x);
  const { maskWidth, dynamicLayers } = session;
  const n = x.shape[0];
  const mismatches: Mismatch[] = [];
  const differs = new Set<number>();
  let active = 0;
  for (const { name, channels, maskOffset } of dynamicLayers) {
    const said = expected.maskLogits.get(name)!;
    const scales = addends(model.getLayer(name));
    const before = new Set(differs);
    expected.masks.get(name)!.forEach((mask, i) => {
      const [image, channel] = [Math.floor(i / channels), i % channels];
      const actual = masks![image * maskWidth + maskOffset + channel];
      active += actual;
      if (actual === mask || before.has(image)) return;
      differs.add(image);
      const relativeMaskLogit = said[i] / scales[channel];
      mismatches.push({ layer: name, image, channel, relativeMaskLogit });
    });
  }
  const logitError = worstError(logits, expected.logits, n, differs);
  return { logitError, decisions: n * maskWidth, active, mismatches };
}

/** For each channel of a softmax predictor, the largest |weight| + |bias|: its features sum to 1. */
function addends(layer: tf.layers.Layer): Float32Array {
  const named = (name: string) =>
    layer.weights.find(({ originalName }) => originalName.endsWith(name))!.read();
  return tf.tidy(() =>
    tf
      .add(named('predictor_kernel').abs().max(0), named('predictor_bias').abs())
      .dataSync<'float32'>(),
  );
}

function worstError(
  actual: Float32Array,
  expected: Float32Array,
  n: number,
  without: Set<number>,
): number {
  const largest = expected.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  const width = expected.length / n;
  let worst = 0;
  for (let i = 0; i < expected.length; i++) {
    if (without.has(Math.floor(i / width))) continue;
    const error = Math.abs(actual[i] - expected[i]) / largest;
    if (!(error <= worst)) worst = error; // NaN as well
  }
  return worst;
}
