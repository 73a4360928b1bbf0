/** Trains the tiny model with a checkpoint after every step and saves it: the process that checkpoints.test kills. */
import * as tf from '@tensorflow/tfjs';
import { fit, saveModel } from '../../src/index.js';
import { tinyDataset, tinyModel, tinyOptions } from './tiny.js';

async function main(checkpoints: string, result: string): Promise<void> {
  await tf.setBackend('native');
  const model = tinyModel();
  await fit(model, tinyDataset(), {
    ...tinyOptions,
    checkpoints: { directory: checkpoints, everySteps: 1, keep: 1 },
    resume: true,
    reporter: { onStart: () => process.stdout.write('started') },
  });
  await saveModel(model, result);
}

void main(process.argv[2], process.argv[3]);
