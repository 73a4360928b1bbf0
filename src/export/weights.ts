/** Weights of a plan in the order that ONNX has them: output channels first. */
import type { Shape } from '../session/plan.js';

/** [taps, cIn, cOut] to [cOut, cIn, taps]. */
export function convWeights(
  weights: Float32Array,
  taps: number,
  cIn: number,
  cOut: number,
): Float32Array {
  const ordered = new Float32Array(weights.length);
  for (let tap = 0, from = 0; tap < taps; tap++) {
    for (let i = 0; i < cIn; i++) {
      for (let o = 0; o < cOut; o++) ordered[(o * cIn + i) * taps + tap] = weights[from++];
    }
  }
  return ordered;
}

/** [taps, c] to [c, taps]. */
export function depthwiseWeights(weights: Float32Array, taps: number, c: number): Float32Array {
  return convWeights(weights, taps, 1, c);
}

/** Rows in the order h, w, c of the input to rows in the order c, h, w. */
export function denseWeights(
  weights: Float32Array,
  { h, w, c }: Shape,
  cOut: number,
): Float32Array {
  const pixels = h * w;
  if (pixels === 1) return weights;
  const ordered = new Float32Array(weights.length);
  for (let pixel = 0; pixel < pixels; pixel++) {
    for (let channel = 0; channel < c; channel++) {
      const from = (pixel * c + channel) * cOut;
      ordered.set(weights.subarray(from, from + cOut), (channel * pixels + pixel) * cOut);
    }
  }
  return ordered;
}
