/** Training: epochs of steps, evaluations, checkpoints. */
import { setImmediate } from 'node:timers/promises';
import * as tf from '@tensorflow/tfjs';
import { batches, type Batch, type Dataset } from '../data/index.js';
import { check, FtwtError } from '../errors.js';
import { checkAlive } from '../pruning/checkAlive.js';
import { CheckpointFolder } from './checkpoints.js';
import { noteClasses } from './classNames.js';
import { evaluate, macsObstacle } from './evaluate.js';
import {
  addStep,
  emptyTotals,
  summarise,
  testScores,
  type EpochEntry,
  type EpochTotals,
  type History,
  type TestScores,
} from './history.js';
import { noteNormalisation } from './normalisation.js';
import { resolveOptions, type FitOptions, type FitSettings } from './options.js';
import { ranges } from './ranges.js';
import { TrainingStep, type StepSettings } from './step.js';
import {
  divergence,
  packTensors,
  restoreTensors,
  stateTensors,
  type RunIdentity,
  type TrainingState,
} from './trainingState.js';

/** Metrics are read from the device once per so many steps, so that it never waits for the host in between. */
const stepsPerRead = 10;

/**
 * Trains a model with SGD with momentum: a dense one on the cross entropy of its logits, a dynamic one (with masked
 * layers, see `makeDynamic`) also on how well its predictors match the target masks. Batch norm's moving statistics are
 * part of the result, and so are the image normalisation and the names of the classes (in the model's metadata).
 *
 * Without a reporter it is silent. Long runs take a `signal` (for instance aborted on Ctrl-C) and `checkpoints`.
 *
 * The same seed, starting weights and number of threads give the same weights bit for bit, also if the run was
 * interrupted, or killed, and resumed from its checkpoints. (Layers with a generator of their own, such as dropout
 * without a seed, are outside of that.)
 *
 * @param model [N, h, w, c] -> logits [N, classes]; trained in place, no `compile` needed
 * @returns one entry per epoch, of earlier runs included after a resume
 * @throws FtwtError INVALID_ARGUMENT for settings, images or labels that do not fit, before anything is changed; and
 * when the loss is no longer a number: with step and learning rate, the last good checkpoint intact
 * @throws FtwtError CORRUPT_FILE if `resume` finds only damaged checkpoints
 */
export async function fit(
  model: tf.LayersModel,
  dataset: Dataset,
  options: FitOptions,
): Promise<History> {
  const settings = resolveOptions(model, dataset, options);
  const run = new TrainingRun(model, dataset, settings);
  try {
    await run.openCheckpoints();
    return await run.finish();
  } catch (error) {
    settings.reporter.onError?.(error);
    throw error;
  } finally {
    run.dispose();
  }
}

interface PendingStep {
  /** Of the whole run, from 0. */
  step: number;
  learningRate: number;
  images: number;
  metrics: tf.Tensor1D;
}

class TrainingRun {
  private readonly step: TrainingStep;
  private readonly identity: RunIdentity;
  private checkpoints?: CheckpointFolder<TrainingState>;
  /** The step of the newest checkpoint: writing it again would change nothing. */
  private savedStep = -1;
  private done = 0;
  private readonly epochs: EpochEntry[] = [];
  private totals: EpochTotals = emptyTotals();
  private pending: PendingStep[] = [];
  private countsMacs = true;

  constructor(
    private readonly model: tf.LayersModel,
    private readonly dataset: Dataset,
    private readonly settings: FitSettings,
  ) {
    this.step = new TrainingStep(model, settings);
    const { batchSize, dropRemainder, seed } = settings;
    const { name, train } = dataset;
    this.identity = { dataset: name, images: train.count, batchSize, dropRemainder, seed };
  }

  /** Proves that checkpoints can be written, and goes back to the newest one if asked. */
  async openCheckpoints(): Promise<void> {
    const { checkpoints, resume, reporter } = this.settings;
    if (checkpoints === undefined) return;
    const folder = await CheckpointFolder.open<TrainingState>(
      checkpoints.directory,
      checkpoints.keep,
    );
    this.checkpoints = folder;
    if (!resume) {
      const { length } = await folder.numbers();
      check(
        length === 0,
        () =>
          `fit: ${folder.path} must hold no checkpoints of an earlier run, got ${length}: resume it, or name another directory`,
      );
      return;
    }
    const checkpoint = await folder.loadNewest((message) =>
      reporter.onWarning?.(`Skipping a damaged checkpoint: ${message}`),
    );
    if (checkpoint === undefined) return;
    restoreTensors(this.stateTensors(), checkpoint, this.identity);
    const { state } = checkpoint;
    this.done = state.step;
    this.savedStep = state.step;
    this.epochs.push(...state.epochs);
    this.totals = state.totals;
  }

  /** Runs what is left, up to the last epoch or the signal. */
  async finish(): Promise<History> {
    const { epochs, stepsPerEpoch, reporter, mean, std } = this.settings;
    reporter.onStart?.({ epochs, stepsPerEpoch, resumedAtStep: this.done });
    noteNormalisation(this.model, { mean: [...mean], std: [...std] });
    noteClasses(this.model, this.dataset.classes);
    const obstacle = macsObstacle(this.model);
    this.countsMacs = obstacle === undefined;
    if (obstacle !== undefined) reporter.onWarning?.(`Evaluations go without MACs: ${obstacle}`);
    let interrupted = false;
    while (this.epochs.length < epochs && !interrupted) {
      interrupted = !(await this.runEpoch());
    }
    if (interrupted) await this.save();
    const history: History = {
      epochs: this.epochs,
      steps: this.done,
      interrupted,
      mean: [...mean],
      std: [...std],
    };
    reporter.onEnd?.(history);
    return history;
  }

  dispose(): void {
    this.step.dispose();
    tf.dispose(this.pending.map(({ metrics }) => metrics));
  }

  /** Returns false if the signal came before the epoch's entry was complete. */
  private async runEpoch(): Promise<boolean> {
    const { stepsPerEpoch, signal, checkpoints, reporter } = this.settings;
    const epoch = this.epochs.length;
    let start = performance.now();
    for (const batch of this.remainingBatches(epoch)) {
      if (signal?.aborted) return false;
      this.runStep(batch, epoch);
      if (this.pending.length === stepsPerRead) await this.flush();
      // Lets signals, timers and the progress bar in.
      await setImmediate();
      this.totals.seconds += (performance.now() - start) / 1000;
      this.reportStep(epoch);
      if (checkpoints?.everySteps && this.done % checkpoints.everySteps === 0) await this.save();
      start = performance.now();
    }
    await this.flush();
    const test = await this.evaluateAfter(epoch);
    if (test === 'interrupted') return false;
    const learningRate = this.settings.learningRate(this.done - 1, stepsPerEpoch);
    const entry = summarise(this.totals, { epoch, step: this.done, test, learningRate });
    this.epochs.push(entry);
    this.totals = emptyTotals();
    reporter.onEpoch?.(entry);
    const last = this.epochs.length === this.settings.epochs;
    if (checkpoints && (last || (epoch + 1) % checkpoints.everyEpochs === 0)) await this.save(true);
    return true;
  }

  private remainingBatches(epoch: number): Iterable<Batch> {
    const { batchSize, dropRemainder, augment, seed, mean, std, stepsPerEpoch } = this.settings;
    return batches(this.dataset.train, {
      batchSize,
      dropRemainder,
      augment,
      mean,
      std,
      shuffle: seed,
      epoch,
      start: this.done - epoch * stepsPerEpoch,
    });
  }

  private runStep({ x, labels, shape }: Batch, epoch: number): void {
    const { learningRate, stepsPerEpoch, epochs, cooldown } = this.settings;
    const { predictorLearningRate, maskWeight } = this.settings;
    const rate = learningRate(this.done, stepsPerEpoch);
    check(
      ranges.learningRate.contains(rate),
      () =>
        `fit: the schedule must give ${ranges.learningRate.text}, got ${rate} for step ${this.done}`,
    );
    const stepSettings: StepSettings = {
      learningRate: rate,
      predictors:
        epoch < cooldown * epochs ? { learningRate: predictorLearningRate, maskWeight } : undefined,
    };
    checkAlive('fit', this.model);
    const metrics = tf.tidy(() =>
      this.step.run(tf.tensor4d(x, shape), tf.tensor1d(labels, 'int32'), stepSettings),
    );
    this.pending.push({
      step: this.done,
      learningRate: rate,
      images: shape[0],
      metrics,
    });
    this.done++;
  }

  /** Reads the metrics of the steps since the last read; throws if one of them is not finite. */
  private async flush(): Promise<void> {
    if (this.pending.length === 0) return;
    const steps = this.pending;
    const metrics = await this.step.readMetrics(steps);
    this.pending = [];
    tf.dispose(steps.map((step) => step.metrics));
    metrics.forEach((step, i) => {
      if (!Number.isFinite(step.loss)) {
        throw divergence(steps[i].step, steps[i].learningRate, `the loss is ${step.loss}`);
      }
      addStep(this.totals, step);
    });
  }

  private async evaluateAfter(epoch: number): Promise<TestScores | undefined | 'interrupted'> {
    const { epochs, evaluateEvery, evaluateBatchSize, mean, std, signal } = this.settings;
    const due = epoch + 1 === epochs || (epoch + 1) % evaluateEvery === 0;
    if (evaluateEvery === 0 || !due) return undefined;
    try {
      const macs = this.countsMacs;
      const options = { batchSize: evaluateBatchSize, mean, std, macs, signal };
      return testScores(await evaluate(this.model, this.dataset.test, options));
    } catch (error) {
      if (signal?.aborted && !(error instanceof FtwtError)) return 'interrupted';
      throw error;
    }
  }

  /** @param entryAdded whether the state has changed since a checkpoint at the same step */
  private async save(entryAdded = false): Promise<void> {
    await this.flush();
    if (this.checkpoints === undefined || (this.savedStep === this.done && !entryAdded)) return;
    const { specs, tensors, healthy } = await packTensors(this.stateTensors());
    if (!healthy) {
      const { learningRate, stepsPerEpoch } = this.settings;
      const rate = learningRate(this.done - 1, stepsPerEpoch);
      throw divergence(this.done - 1, rate, 'weights are NaN, infinite or too large');
    }
    const state: TrainingState = {
      run: this.identity,
      step: this.done,
      epochs: this.epochs,
      totals: this.totals,
      specs,
    };
    const folder = await this.checkpoints.save({ state, tensors });
    this.savedStep = this.done;
    this.settings.reporter.onCheckpoint?.(folder);
  }

  private stateTensors(): tf.Variable[] {
    return stateTensors(this.model, this.step.optimizer.velocities());
  }

  private reportStep(epoch: number): void {
    const { epochs, stepsPerEpoch, batchSize, learningRate, reporter } = this.settings;
    const { images, seconds, loss, correct } = this.totals;
    const step = this.done - epoch * stepsPerEpoch;
    const secondsPerStep = seconds / step;
    reporter.onStep?.({
      epoch,
      epochs,
      step,
      stepsPerEpoch,
      totalSteps: this.done,
      learningRate: learningRate(this.done - 1, stepsPerEpoch),
      imagesPerSecond: batchSize / secondsPerStep,
      secondsLeft: (epochs * stepsPerEpoch - this.done) * secondsPerStep,
      ...(images > 0 && { loss: loss / images, accuracy: correct / images }),
    });
  }
}
