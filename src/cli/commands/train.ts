/** `ftwt train`: trains a dense network, or a dynamic one from a dense baseline. */
import { join } from 'node:path';
import { existsSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import type * as tf from '@tensorflow/tfjs';
import type { Dataset } from '../../data/index.js';
import { FtwtError } from '../../errors.js';
import { makeDynamic } from '../../pruning/index.js';
import { percent } from '../../report/format.js';
import { makeWritableFolder, writeFileAtomically } from '../../train/atomicFile.js';
import {
  consoleReporter,
  constantSchedule,
  cosineSchedule,
  fit,
  loadModel,
  oneCycleSchedule,
  saveModel,
  stepSchedule,
  type Schedule,
} from '../../train/index.js';
import { calibrate } from '../calibration.js';
import { UsageError } from '../exitCodes.js';
import { interruptible, resumeCommand } from '../interrupt.js';
import { loadData } from '../loadData.js';
import { buildModel, isDynamicModel } from '../models.js';
import type { DataOptions, DeviceOptions, ModelName } from '../options.js';
import { setUpDevice } from '../setUp.js';
import { goalOf, type TargetOptions } from './estimate.js';

export interface TrainOptions extends DeviceOptions, DataOptions, TargetOptions {
  model?: ModelName;
  from?: string;
  out: string;
  mode: 'decoupled' | 'joint';
  pooling: 'max' | 'average';
  softmax: boolean;
  epochs: number;
  batchSize: number;
  lr?: number;
  schedule: 'step' | 'cosine' | 'one-cycle' | 'constant';
  milestones?: number[];
  warmup: number;
  predictorLr: number;
  cooldown: number;
  momentum: number;
  nesterov?: boolean;
  weightDecay: number;
  labelSmoothing: number;
  padCrop: number;
  flip?: boolean;
  seed: number;
  evaluateEvery: number;
  resume?: boolean;
  force?: boolean;
  quiet?: boolean;
}

const modelFile = 'model.json';

export async function train(options: TrainOptions): Promise<void> {
  checkUsage(options);
  const learningRate = scheduleOf(options);
  await setUpDevice(options);
  await prepareFolder(options);
  const checkpoints = join(options.out, 'checkpoints');
  if (options.resume && existsSync(join(options.out, modelFile)) && !existsSync(checkpoints)) {
    console.log(`${options.out} is finished already.`);
    return;
  }
  const dataset = await loadData(options, options.quiet);
  const model = await startingModel(options, dataset);
  // Only now: without data or model, the earlier run stays.
  if (options.force && !options.resume) await rm(checkpoints, { recursive: true, force: true });
  const history = await interruptible(
    async (signal) => {
      const result = await fit(model, dataset, {
        epochs: options.epochs,
        batchSize: options.batchSize,
        learningRate,
        momentum: options.momentum,
        nesterov: options.nesterov,
        weightDecay: options.weightDecay,
        labelSmoothing: options.labelSmoothing,
        predictorLearningRate: options.predictorLr,
        cooldown: options.cooldown,
        augment: { padCrop: options.padCrop, flip: options.flip },
        seed: options.seed,
        evaluateEvery: options.evaluateEvery,
        checkpoints: { directory: checkpoints },
        resume: options.resume,
        signal,
        reporter: options.quiet ? {} : consoleReporter(),
      });
      if (result.interrupted) signal.throwIfAborted();
      return result;
    },
    () => `Stopped; checkpoints are in ${checkpoints}. To go on:\n  ${resumeCommand()}`,
  );
  await saveModel(model, options.out);
  await writeFileAtomically(
    join(options.out, 'history.json'),
    `${JSON.stringify(history, null, 2)}\n`,
  );
  await rm(checkpoints, { recursive: true, force: true });
  const accuracy = history.epochs.at(-1)?.test?.accuracy;
  console.log(
    `Saved in ${options.out}${accuracy === undefined ? '' : `; test accuracy ${percent(accuracy)}`}`,
  );
}

function checkUsage(options: TrainOptions): void {
  if ((options.model === undefined) === (options.from === undefined)) {
    throw new UsageError('give either --model (a new network) or --from (a saved one)');
  }
  goalOf(options);
  if (options.schedule === 'step' && options.milestones === undefined) {
    throw new UsageError('--schedule step needs --milestones');
  }
}

/** Makes sure, before any work, that the result can be written and overwrites nothing unasked. */
async function prepareFolder({ out, resume, force }: TrainOptions): Promise<void> {
  await makeWritableFolder(out, '--out');
  const checkpoints = join(out, 'checkpoints');
  const taken = [join(out, modelFile), checkpoints].find((path) => existsSync(path));
  if (taken === undefined || resume) return;
  if (!force) {
    throw new FtwtError(
      'INVALID_ARGUMENT',
      `${taken} is there already: --resume goes on with an unfinished run, --force starts over`,
    );
  }
}

async function startingModel(options: TrainOptions, dataset: Dataset): Promise<tf.LayersModel> {
  const { model: name, from, seed, mode, pooling, softmax, quiet } = options;
  const predictor = { mode, pooling, softmax };
  const goal = goalOf(options);
  const model =
    from === undefined
      ? buildModel(name!, {
          inputShape: dataset.train.shape,
          classes: dataset.classes.length,
          seed,
        })
      : await loadModel(from);
  if (goal === undefined) return model;
  if (isDynamicModel(model)) {
    throw new UsageError(`${from} is dynamic already: leave --mass, --keep-ratio, --reduction out`);
  }
  if (!('reduction' in goal)) return makeDynamic(model, { ...goal, ...predictor });
  if (from === undefined) {
    throw new UsageError('--reduction needs a trained network to estimate from: --from');
  }
  const estimate = calibrate(model, dataset.train, 512, goal);
  const { skippable, published } = estimate.macsReduction;
  if (!quiet) {
    console.error(
      `Mass ${estimate.mass}: estimated FLOPs reduction ${percent(skippable)} skippable, ${percent(published)} published`,
    );
  }
  return makeDynamic(model, { mass: estimate.mass, ...predictor });
}

/** @throws UsageError for numbers that contradict one another */
function scheduleOf(options: TrainOptions): Schedule {
  try {
    return newSchedule(options);
  } catch (error) {
    if (error instanceof FtwtError) throw new UsageError(error.message, { cause: error });
    throw error;
  }
}

function newSchedule({ schedule, lr, model, epochs, milestones, warmup }: TrainOptions): Schedule {
  // As published: a trained network goes on with a tenth of the rate it started with.
  const rate = lr ?? (model === undefined ? 0.01 : 0.1);
  if (schedule === 'step') return stepSchedule(rate, { milestones: milestones! });
  if (schedule === 'cosine') return cosineSchedule(rate, { epochs, warmupEpochs: warmup });
  return schedule === 'one-cycle' ? oneCycleSchedule(rate, { epochs }) : constantSchedule(rate);
}
