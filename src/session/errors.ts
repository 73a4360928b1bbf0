/** What the lowering of a layer says when it cannot be done. */
import type * as tf from '@tensorflow/tfjs';
import { FtwtError } from '../errors.js';
import { kindOf } from '../pruning/graph.js';

/** `compile: layer "conv1" (Conv2D): <what>`. @throws FtwtError INVALID_ARGUMENT always */
export function refuse(layer: tf.layers.Layer, what: string): never {
  throw new FtwtError(
    'INVALID_ARGUMENT',
    `compile: layer "${layer.name}" (${kindOf(layer)}): ${what}`,
  );
}
