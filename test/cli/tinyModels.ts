/** Saved models for the commands, beside one another as `ftwt demo` leaves them. */
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { makeDynamic, saveModel, vggSmall } from '../../src/index.js';
import { noteClasses } from '../../src/train/classNames.js';
import { noteNormalisation } from '../../src/train/normalisation.js';
import { scatter } from '../session/oracle.js';
import { temporaryFolder } from './runFtwt.js';

export const classNames = Array.from({ length: 10 }, (_, k) => `kind ${k}`);

/** @returns a folder with dense/ and dynamic/: grey images of 28x28, ten classes, masks that vary */
export async function tinyModels(t: TestContext): Promise<string> {
  const folder = await temporaryFolder(t);
  const dense = scatter(vggSmall({ inputShape: [28, 28, 1], widths: [8, 'M', 'M', 16], seed: 1 }));
  const dynamic = scatter(makeDynamic(dense, { mass: 0.9 }));
  for (const [name, model] of Object.entries({ dense, dynamic })) {
    noteNormalisation(model, { mean: [0.5], std: [0.25] });
    noteClasses(model, classNames);
    await saveModel(model, join(folder, name));
    model.dispose();
  }
  return folder;
}
