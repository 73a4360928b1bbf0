/** Sessions of one variant beside the model, on every instruction set of this processor. */
import assert from 'node:assert/strict';
import type * as tf from '@tensorflow/tfjs';
import { setThreads } from '../../src/index.js';
import { binding } from '../../src/binding.js';
import { lower } from '../../src/session/lower.js';
import { encode } from '../../src/session/plan.js';
import { Session } from '../../src/session/session.js';
import { eachInstructionSet } from '../devices.js';
import { closeLogits, images, predict } from './oracle.js';

export const maxBatch = 8;

export function compileWith(model: tf.LayersModel, variant: string, most = maxBatch): Session {
  const lowered = lower(model);
  const options = { maxBatch: most, measure: false, variant };
  const handle = binding.sessionCompile(encode(lowered.plan), options);
  return new Session(lowered, binding, handle, most);
}

/**
 * @param threads while it compiles, and while it runs; as they are unless given
 * @returns how many layers run `variant`
 */
export function agrees(
  label: string,
  model: tf.LayersModel,
  variant: string,
  threads?: readonly [compiling: number, running: number],
): number {
  let used = 0;
  for (const device of eachInstructionSet()) {
    if (threads !== undefined) setThreads(threads[0]);
    const session = compileWith(model, variant);
    if (threads !== undefined) setThreads(threads[1]);
    for (const n of [1, 3, maxBatch]) {
      const x = images(model, n);
      const expected = predict(model, x);
      const { logits } = session.run(x);
      closeLogits(logits, expected.logits, `${label}, ${device}, batch ${n}`);
      if (n === 1) {
        const steps = session.profile(x).flatMap((layer) => layer.steps);
        used += steps.filter((step) => step.variant === variant).length;
      }
      x.dispose();
    }
    sameBitsAlone(label, session, model);
    session.dispose();
  }
  return used;
}

/** Each of the first images of a batch, run alone. */
function sameBitsAlone(label: string, session: Session, model: tf.LayersModel): void {
  const x = images(model, maxBatch);
  const values = x.dataSync<'float32'>();
  const floats = values.length / maxBatch;
  const { logits } = session.run(values);
  const width = logits.length / maxBatch;
  for (let i = 0; i < 3; i++) {
    const alone = session.run(values.slice(i * floats, (i + 1) * floats)).logits;
    assert.deepEqual(alone, logits.slice(i * width, (i + 1) * width), `${label}, image ${i} alone`);
  }
  x.dispose();
}
