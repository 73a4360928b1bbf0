/** `ftwt predict`: the classes of image files, and what each image costs. */
import { setImmediate } from 'node:timers/promises';
import type * as tf from '@tensorflow/tfjs';
import { FtwtError } from '../../errors.js';
import { percent } from '../../report/format.js';
import { compile, type Session } from '../../session/index.js';
import { classesOf } from '../../train/classNames.js';
import { loadModel } from '../../train/index.js';
import { ImageReader } from '../imageFiles.js';
import { interruptible } from '../interrupt.js';
import type { DeviceOptions } from '../options.js';
import { setUpSessions } from '../setUp.js';
import { table } from '../table.js';

export interface PredictOptions extends DeviceOptions {
  top: number;
  fit: 'cover' | 'fill';
  batch: number;
  json?: boolean;
}

export interface Prediction {
  file: string;
  /** The likeliest first. */
  classes: { index: number; name: string | null; probability: number }[];
  /** Computed for this image, as a share of the dense ones: skippable, predictors included. */
  macsShare: number;
}

export async function predictCommand(
  folder: string,
  files: string[],
  options: PredictOptions,
): Promise<void> {
  await setUpSessions(options);
  const model = await loadModel(folder);
  const reader = new ImageReader(model, options.fit);
  const classify = classifier(model, options.top);
  const { device, precision } = options;
  const maxBatch = Math.min(options.batch, files.length);
  // For a single batch, timing the kernels takes longer than it saves.
  const measure = files.length > maxBatch;
  const session = compile(model, { device, precision, maxBatch, measure });
  const predictions: Prediction[] = [];
  const errors: FtwtError[] = [];
  try {
    await interruptible(
      async (signal) => {
        for (let start = 0; start < files.length; start += maxBatch) {
          await setImmediate();
          signal.throwIfAborted();
          const read = await reader.read(files.slice(start, start + maxBatch));
          errors.push(...read.errors);
          if (read.paths.length > 0) predictions.push(...run(session, classify, read));
        }
      },
      () => 'Stopped.',
    );
  } finally {
    session.dispose();
  }
  if (options.json) console.log(JSON.stringify(predictions, null, 2));
  else if (predictions.length > 0) console.log(predictionTable(predictions));
  if (errors.length > 0) throw new AggregateError(errors);
}

type Classify = (scores: Float32Array) => Prediction['classes'];

function run(
  session: Session,
  classify: Classify,
  { images, paths }: { images: Float32Array; paths: string[] },
): Prediction[] {
  const { logits, macs } = session.run(images);
  const classes = logits.length / paths.length;
  return paths.map((file, i) => ({
    file,
    classes: classify(logits.subarray(i * classes, (i + 1) * classes)),
    macsShare: macs.skippable[i] / macs.dense,
  }));
}

/** @throws FtwtError INVALID_ARGUMENT for a model that does not put out one score for each class */
function classifier(model: tf.LayersModel, top: number): Classify {
  const shape = model.outputs[0].shape.slice(1);
  const [count] = shape;
  if (shape.length !== 1 || !count) {
    throw new FtwtError(
      'INVALID_ARGUMENT',
      `predict: expected a model that puts out [classes], got [${shape.join(', ')}]`,
    );
  }
  const names = classesOf(model);
  const named = names?.length === count ? names : undefined;
  return (scores) => {
    const probabilities = softmax(scores);
    return Array.from(probabilities.keys())
      .sort((a, b) => probabilities[b] - probabilities[a] || a - b)
      .slice(0, top)
      .map((index) => ({
        ...{ index, name: named?.[index] ?? null, probability: probabilities[index] },
      }));
  };
}

/** In double precision. Scores that are probabilities already stay as they are. */
function softmax(scores: Float32Array): Float64Array {
  const values = Float64Array.from(scores);
  const sum = (of: Float64Array) => of.reduce((total, value) => total + value, 0);
  if (values.every((value) => value >= 0) && Math.abs(sum(values) - 1) < 1e-4) return values;
  const largest = values.reduce((most, value) => Math.max(most, value), -Infinity);
  const exponentials = values.map((value) => Math.exp(value - largest));
  const total = sum(exponentials);
  return exponentials.map((value) => value / total);
}

/** A line for each class; the file and its share of the MACs stand on its first. */
function predictionTable(predictions: Prediction[]): string {
  const rows = predictions.flatMap(({ file, classes, macsShare }) =>
    classes.map(({ index, name, probability }, i) => [
      i === 0 ? file : '',
      name ?? String(index),
      percent(probability, 1),
      i === 0 ? percent(macsShare, 1) : '',
    ]),
  );
  return table(['file', 'class', 'probability', 'MACs computed'], rows, { left: 2 });
}
