/** The demo's work, phase by phase. Each can be resumed: what is done already is read back from checkpoints. */
import type * as tf from '@tensorflow/tfjs';
import type { Dataset } from '../../data/index.js';
import { vggSmall } from '../../models/index.js';
import { makeDynamic, type MacsEstimate } from '../../pruning/index.js';
import { percent } from '../../report/format.js';
import type { SpeedReport } from '../../report/index.js';
import {
  consoleReporter,
  evaluate,
  fit,
  oneCycleSchedule,
  saveModel,
  type Evaluation,
  type FitOptions,
  type History,
  type Reporter,
} from '../../train/index.js';
import { calibrate } from '../calibration.js';
import { demoRecipe } from '../demoRecipe.js';
import type { Clock } from './clock.js';
import type { RunFolder } from './runFolder.js';
import type { DemoSettings } from './settings.js';
import { measureDemo, type SpeedOptions } from './speed.js';

export interface DemoRun {
  settings: DemoSettings;
  folder: RunFolder;
  dataset: Dataset;
  clock: Clock;
  signal: AbortSignal;
  speed: SpeedOptions;
  quiet?: boolean;
}

export interface Trained {
  model: tf.LayersModel;
  history: History;
}

/** All that the report is made of. */
export interface DemoResults {
  dense: Trained & { test: Evaluation };
  estimate: MacsEstimate;
  dynamic: Trained & { test: Evaluation };
  speed: SpeedReport | null;
}

/** @throws the signal's reason when stopped; what is done lies in the run's folder */
export async function runPhases(run: DemoRun): Promise<DemoResults> {
  const dense = await trainDense(run);
  const estimate = estimateReduction(run, dense.model);
  const dynamic = await trainDynamic(run, dense.model, estimate.mass!);
  run.clock.begin('evaluation');
  say(run, `Evaluating both on ${run.dataset.test.count} test images`);
  const { signal } = run;
  const denseTest = await evaluate(dense.model, run.dataset.test, { signal });
  const dynamicTest = await evaluate(dynamic.model, run.dataset.test, { signal });
  run.clock.begin('speed');
  const networks = { dense: dense.model, dynamic: dynamic.model };
  const { test } = run.dataset;
  const speed = await measureDemo(networks, { ...run.speed, test, signal }, (line) =>
    say(run, line),
  );
  return {
    dense: { ...dense, test: denseTest },
    estimate,
    dynamic: { ...dynamic, test: dynamicTest },
    speed,
  };
}

async function trainDense(run: DemoRun): Promise<Trained> {
  const { settings, dataset } = run;
  run.clock.begin('dense training');
  say(run, `Training a dense network on ${dataset.train.count} images of ${dataset.name}`);
  const model = vggSmall({
    ...demoRecipe.network,
    widths: [...demoRecipe.network.widths],
    inputShape: dataset.train.shape,
    classes: dataset.classes.length,
    seed: settings.seed,
  });
  return train(run, 'dense', model, {
    epochs: settings.epochs,
    learningRate: oneCycleSchedule(settings.learningRate, { epochs: settings.epochs }),
    weightDecay: demoRecipe.dense.weightDecay,
  });
}

function estimateReduction(run: DemoRun, dense: tf.LayersModel): MacsEstimate {
  const { folder, settings, dataset } = run;
  run.clock.begin('estimate');
  const mass = folder.state!.mass ?? settings.mass;
  const goal = mass === null ? { reduction: settings.reduction! } : { mass };
  const estimate = calibrate(dense, dataset.train, demoRecipe.calibrationImages, goal);
  // A resumed run must not choose again: its masks would be trained for another target.
  folder.save({ ...folder.state!, mass: estimate.mass });
  const { published, skippable } = estimate.macsReduction;
  say(
    run,
    `Mass ${estimate.mass}: estimated FLOPs reduction ${percent(skippable, 1)} skippable, ${percent(published, 1)} published`,
  );
  return estimate;
}

async function trainDynamic(run: DemoRun, dense: tf.LayersModel, mass: number): Promise<Trained> {
  const { settings } = run;
  run.clock.begin('dynamic training');
  say(run, 'Training the dynamic network from it');
  const model = makeDynamic(dense, { mass, mode: settings.mode, ...demoRecipe.predictor });
  return train(run, 'dynamic', model, {
    epochs: settings.dynamicEpochs,
    learningRate: oneCycleSchedule(settings.dynamicLearningRate, {
      epochs: settings.dynamicEpochs,
    }),
    predictorLearningRate: settings.predictorLearningRate,
    cooldown: demoRecipe.dynamic.cooldown,
    weightDecay: demoRecipe.dynamic.weightDecay,
  });
}

async function train(
  run: DemoRun,
  phase: 'dense' | 'dynamic',
  model: tf.LayersModel,
  options: FitOptions,
): Promise<Trained> {
  const { settings, folder, dataset, signal } = run;
  const { momentum, nesterov, labelSmoothing, augment } = demoRecipe;
  const history = await fit(model, dataset, {
    ...options,
    batchSize: Math.min(settings.batchSize, dataset.train.count),
    momentum,
    nesterov,
    labelSmoothing,
    augment,
    seed: settings.seed,
    checkpoints: { directory: folder.checkpoints(phase) },
    resume: true,
    signal,
    reporter: reporterOf(run),
  });
  if (history.interrupted) signal.throwIfAborted();
  await saveModel(model, folder.model(phase));
  return { model, history };
}

/** Progress on the terminal, and the time spent noted with every checkpoint. */
function reporterOf({ quiet, folder, clock }: DemoRun): Reporter {
  return {
    ...(quiet ? {} : consoleReporter()),
    onCheckpoint: () => folder.save({ ...folder.state!, seconds: clock.seconds() }),
  };
}

function say({ quiet }: DemoRun, line: string): void {
  if (!quiet) console.error(line);
}
