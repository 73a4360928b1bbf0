/** How a training step or an evaluation gets at the masks of one forward pass. */
import * as tf from '@tensorflow/tfjs';
import type { Tensor2D } from '@tensorflow/tfjs';
import { check } from '../errors.js';

/** What one dynamic layer decided for one batch. */
export interface MaskRecord {
  layer: tf.layers.Layer;
  /** The predictor's output [N, C]; on the tape, so a loss of it trains the predictor. */
  maskLogits: Tensor2D;
  /** [N, C], 1 = active. */
  mask: Tensor2D;
  /** What the predictor should have said, [N, C]; in training only. */
  targetMask?: Tensor2D;
}

const recordings: MaskRecord[][] = [];

/**
 * Runs `body`, and collects what every dynamic layer called in it decided, in the order of the calls. The tensors of the
 * records belong to the caller's tidy scope, as if made there; without one, the caller disposes them. An inner
 * `recordMasks` keeps its records to itself.
 * @param body synchronous; calls dynamic models by `apply` or `predict`
 * @throws FtwtError INVALID_ARGUMENT when `body` returns a promise; whatever `body` throws (nothing leaks)
 */
export function recordMasks<T>(body: () => T): { result: T; records: MaskRecord[] } {
  const recording: MaskRecord[] = [];
  recordings.push(recording);
  try {
    const result = body();
    check(
      !(result instanceof Promise),
      () => 'recordMasks: body must be synchronous, got a function that returns a promise',
    );
    return { result, records: recording.map(release) };
  } catch (error) {
    recording.forEach((record) => tensorsOf(record).forEach((tensor) => tensor.dispose()));
    throw error;
  } finally {
    recordings.pop();
  }
}

/** Whether a `recordMasks` is running: only then target masks are worth computing. */
export function isRecording(): boolean {
  return recordings.length > 0;
}

/** Called by dynamic layers, inside their tidy. */
export function addMaskRecord(record: MaskRecord): void {
  const recording = recordings.at(-1);
  if (recording === undefined) return;
  // The scopes of the layer and of the model around it end before the recording does.
  tensorsOf(record).forEach((tensor) => tf.keep(tensor));
  recording.push(record);
}

/** Moves kept tensors into the current scope: a clone is tracked there, and stays on the tape. */
function release({ layer, ...tensors }: MaskRecord): MaskRecord {
  const released: Partial<MaskRecord> = {};
  for (const [name, tensor] of Object.entries(tensors)) {
    released[name as keyof typeof tensors] = tensor.clone();
    tensor.dispose();
  }
  // Not enumerable: a tidy that returns records looks for tensors in all they hold, layers and their models included.
  return Object.defineProperty(released as MaskRecord, 'layer', { value: layer });
}

function tensorsOf({ maskLogits, mask, targetMask }: MaskRecord): Tensor2D[] {
  return targetMask === undefined ? [maskLogits, mask] : [maskLogits, mask, targetMask];
}
