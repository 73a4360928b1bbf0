/** What a checkpoint of a run holds, and how it gets into and out of a model. */
import * as tf from '@tensorflow/tfjs';
import { check, FtwtError } from '../errors.js';
import type { Checkpoint } from './checkpoints.js';
import type { EpochEntry, EpochTotals } from './history.js';

/** What must be the same for a position in an epoch to mean the same. */
export interface RunIdentity {
  dataset: string;
  images: number;
  batchSize: number;
  dropRemainder: boolean;
  seed: number;
}

export interface TrainingState {
  run: RunIdentity;
  step: number;
  /** Entries of the finished epochs. */
  epochs: EpochEntry[];
  /** Sums of the epoch at work. */
  totals: EpochTotals;
  /** Of tensors.bin: the model's weights, then the optimizer's velocities. */
  specs: tf.io.WeightsManifestEntry[];
}

/** Everything of a model and its optimizer that training changes, in a fixed order. */
export function stateTensors(
  model: tf.LayersModel,
  velocities: readonly tf.Variable[],
): tf.Variable[] {
  return [...model.weights.map((weight) => weight.read() as tf.Variable), ...velocities];
}

export interface PackedTensors {
  specs: tf.io.WeightsManifestEntry[];
  tensors: Uint8Array;
  /** False if a value is NaN, infinite or too large: such a state must never replace a good one. */
  healthy: boolean;
}

/** Copies state tensors to the host. */
export async function packTensors(variables: readonly tf.Variable[]): Promise<PackedTensors> {
  // Numbered, because tfjs makes names unique within a process: they differ after a restart.
  const named = variables.map((tensor, i) => ({ name: `${i}`, tensor }));
  const { data, specs } = await tf.io.encodeWeights(named);
  let offset = 0;
  let healthy = true;
  for (const { shape, dtype } of specs) {
    const size = tf.util.sizeFromShape(shape);
    if (dtype === 'float32') {
      healthy &&= new Float32Array(data, offset, size).every(isHealthy);
    }
    offset += size * tf.util.bytesPerElement(dtype);
  }
  return { specs, tensors: new Uint8Array(data), healthy };
}

/** Above, squares overflow float32: no finite loss can follow. */
const largestWeight = 1e18;

function isHealthy(value: number): boolean {
  return Math.abs(value) < largestWeight;
}

/**
 * Puts a checkpoint's values into a model and its optimizer; nothing is changed if anything does not fit.
 * @throws FtwtError INVALID_ARGUMENT if the checkpoint is of another model or another run
 */
export function restoreTensors(
  variables: readonly tf.Variable[],
  { state, tensors }: Checkpoint<TrainingState>,
  run: RunIdentity,
): void {
  for (const key of Object.keys(run) as (keyof RunIdentity)[]) {
    check(
      state.run[key] === run[key],
      () => `fit: the checkpoint was written with ${key} ${state.run[key]}, got ${run[key]}`,
    );
  }
  check(
    state.specs.length === variables.length,
    () =>
      `fit: the checkpoint is of a model with ${state.specs.length} weights and velocities, this one has ${variables.length}`,
  );
  variables.forEach((variable, i) => {
    const { shape, dtype } = state.specs[i];
    check(
      tf.util.arraysEqual(shape, variable.shape) && dtype === variable.dtype,
      () =>
        `fit: the checkpoint is of another model: ${variable.name} must be ${dtype} [${shape}], got ${variable.dtype} [${variable.shape}]`,
    );
  });
  // A copy, because small Buffers share one pooled ArrayBuffer.
  const values = tf.io.decodeWeights(Uint8Array.from(tensors).buffer, state.specs);
  variables.forEach((variable, i) => variable.assign(values[`${i}`]));
  tf.dispose(values);
}

/** The error for a loss or weights that are no numbers any more. */
export function divergence(step: number, learningRate: number, what: string): FtwtError {
  return new FtwtError(
    'INVALID_ARGUMENT',
    `fit: training diverged at step ${step} (learning rate ${learningRate}): ${what}. ` +
      'Try a lower learning rate or a warm-up; checkpoints hold the last good state.',
  );
}
