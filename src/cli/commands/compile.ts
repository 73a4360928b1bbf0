/** `ftwt compile`: what a saved model becomes as a session, and whether that gives the model's results. */
import { setImmediate } from 'node:timers/promises';
import type * as tf from '@tensorflow/tfjs';
import { deviceInfo } from '../../binding.js';
import { toOnnx } from '../../export/index.js';
import { compile, type LayerProfile, type Session } from '../../session/index.js';
import { checkSession, reference, type Agreement } from '../../timing/logits.js';
import { quantile, spreadOf, type Spread } from '../../timing/statistics.js';
import { Runner } from '../../timing/turns.js';
import { loadModel } from '../../train/index.js';
import { interruptible } from '../interrupt.js';
import type { DataOptions, DeviceOptions } from '../options.js';
import { checkOutput, writeJson, writeOutput } from '../outputFile.js';
import { planText } from '../planText.js';
import { sampleImages } from '../sampleImages.js';
import { setUpSessions } from '../setUp.js';

export interface CompileCommandOptions extends DeviceOptions, Partial<DataOptions> {
  batch: number;
  onnx?: string;
  json?: string;
}

/** Of the images, so many are compared with `model.predict`. */
const checkedImages = 4;

/** For how long the whole batch is timed, and how often, at most, its layers are. */
const timedMs = 500;
const profiles = 5;

/** The content of `--json`. */
export interface CompileReport {
  model: string;
  name: string;
  inputShape: readonly number[];
  outputShape: readonly number[];
  device: string;
  precision: string;
  threads: number;
  instructionSet: string;
  batch: number;
  /** What was run: random images, or a data set. */
  images: string;
  check: Agreement;
  layers: LayerReport[];
  memoryBytes: number;
  /** Of the batch. */
  milliseconds: Spread;
  imagesPerSecond: number;
  onnx: string | null;
}

export interface LayerReport extends LayerProfile {
  outputShape: readonly number[];
  dynamic: boolean;
}

export async function compileCommand(
  folder: string,
  options: CompileCommandOptions,
): Promise<void> {
  await checkOutput('--onnx', options.onnx);
  await checkOutput('--json', options.json);
  await setUpSessions(options);
  const model = await loadModel(folder);
  const { device, precision = 'fp32', batch, onnx } = options;
  const session = compile(model, { device, precision, maxBatch: batch });
  try {
    const report = await interruptible(
      (signal) => inspect(model, session, { ...options, folder, signal }),
      () => 'Stopped.',
    );
    if (onnx !== undefined) await writeOutput('--onnx', onnx, toOnnx(model));
    if (options.json !== '-') console.log(planText(report));
    await writeJson(options.json, report);
  } finally {
    session.dispose();
  }
}

interface Inspection extends CompileCommandOptions {
  folder: string;
  signal: AbortSignal;
}

async function inspect(
  model: tf.LayersModel,
  session: Session,
  options: Inspection,
): Promise<CompileReport> {
  const { batch, device, precision = 'fp32', signal, onnx } = options;
  const { images, count, source } = await sampleImages(model, batch, options, options.json === '-');
  await setImmediate();
  signal.throwIfAborted();
  const few = images.subarray(0, (images.length / count) * Math.min(checkedImages, count));
  const check = checkSession(session, few, reference(model, few), precision);
  const milliseconds = spreadOf(await timed(session, images, signal));
  const { threads, instructionSet } = deviceInfo();
  return {
    ...{ model: options.folder, name: model.name },
    ...{ inputShape: session.inputShape, outputShape: session.outputShape },
    ...{ device, precision, threads, instructionSet, batch: count, images: source, check },
    layers: (await profiled(session, images, signal)).map((layer, i) => {
      const { outputShape, dynamic } = session.layers[i];
      return { ...layer, outputShape, dynamic };
    }),
    memoryBytes: session.memoryBytes,
    milliseconds,
    imagesPerSecond: (1000 * count) / milliseconds.median,
    onnx: onnx ?? null,
  };
}

async function timed(
  session: Session,
  images: Float32Array,
  signal: AbortSignal,
): Promise<number[]> {
  return new Runner(() => session.run(images), signal).turn(timedMs);
}

/** With the median times of a few runs. */
async function profiled(
  session: Session,
  images: Float32Array,
  signal: AbortSignal,
): Promise<LayerProfile[]> {
  const runs: LayerProfile[][] = [];
  const end = performance.now() + timedMs;
  do {
    await setImmediate();
    signal.throwIfAborted();
    runs.push(session.profile(images));
  } while (runs.length < profiles && performance.now() < end);
  return runs[0].map((layer, i) => {
    const steps = layer.steps.map(({ variant }, step) => {
      const times = runs.map((run) => run[i].steps[step].milliseconds);
      return { variant, milliseconds: quantile(times, 0.5) };
    });
    return {
      ...layer,
      steps,
      milliseconds: steps.reduce((sum, step) => sum + step.milliseconds, 0),
    };
  });
}
