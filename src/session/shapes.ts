/** Sizes of tensors, and where windows lie on them. */
import type * as tf from '@tensorflow/tfjs';
import { fixedShape } from '../pruning/graph.js';
import { refuse } from './errors.js';
import type { Shape, Window } from './plan.js';

/**
 * The sizes of a tensor but the batch: [c], [w, c] or [h, w, c].
 * @throws FtwtError INVALID_ARGUMENT where a size is unknown or below 1, or there are others
 */
export function shapeOf(tensor: tf.SymbolicTensor): Shape {
  const sizes = fixedShape(tensor, 'compile');
  const text = `[${sizes.join(', ')}]`;
  if (sizes.length < 1 || sizes.length > 3) {
    refuse(tensor.sourceLayer, `puts out ${text}; expected [h, w, c], [w, c] or [c]`);
  }
  if (sizes.some((size) => size < 1)) {
    refuse(
      tensor.sourceLayer,
      `puts out ${text}, which is empty: its window is larger than its input`,
    );
  }
  const [h, w, c] = [...new Array<number>(3 - sizes.length).fill(1), ...sizes];
  return { h, w, c };
}

/** What the layers with windows have in their configs. */
export interface WindowConfig {
  /** Rows, columns. */
  size: number[];
  strides: number[];
  dilations?: number[];
  padding: string;
}

/**
 * As tfjs pads: 'same' puts the smaller half before; 'valid' nothing.
 * @throws FtwtError INVALID_ARGUMENT for other paddings ('causal')
 */
export function windowOf(
  layer: tf.layers.Layer,
  input: Shape,
  out: Shape,
  { size, strides, dilations = [1, 1], padding }: WindowConfig,
): Window {
  if (padding !== 'same' && padding !== 'valid') {
    refuse(layer, `padding must be 'same' or 'valid', got '${padding}'`);
  }
  const before = (axis: number, inputSize: number, outputSize: number): number => {
    if (padding === 'valid') return 0;
    const reach = (size[axis] - 1) * dilations[axis] + 1;
    return Math.max(0, (outputSize - 1) * strides[axis] + reach - inputSize) >> 1;
  };
  return {
    ...{ kh: size[0], kw: size[1], strideH: strides[0], strideW: strides[1] },
    ...{ dilationH: dilations[0], dilationW: dilations[1] },
    ...{ padTop: before(0, input.h, out.h), padLeft: before(1, input.w, out.w) },
  };
}
