/** Images for a model to be tried on: of a data set, or random. */
import * as tf from '@tensorflow/tfjs';
import { batches } from '../data/index.js';
import { FtwtError } from '../errors.js';
import { randomImages } from '../timing/images.js';
import { normalisationOf } from '../train/normalisation.js';
import { loadData } from './loadData.js';
import type { DataOptions } from './options.js';

export interface SampleImages {
  /** [count, ...], normalised. */
  images: Float32Array;
  count: number;
  /** What they are. */
  source: string;
}

/**
 * @param count of a data set at most so many: a fixed random choice of the test images
 * @throws FtwtError INVALID_ARGUMENT where the data do not fit the model
 */
export async function sampleImages(
  model: tf.LayersModel,
  count: number,
  { data, limit }: Partial<DataOptions>,
  quiet = false,
): Promise<SampleImages> {
  if (data === undefined) {
    return { images: randomImages(model, count), count, source: 'random' };
  }
  const { mean, std } = normalisationOf(model);
  if (mean === undefined || std === undefined) {
    throw new FtwtError(
      'INVALID_ARGUMENT',
      '--data: the model does not tell how images were normalised: it was not trained with fit',
    );
  }
  const { name, test } = await loadData({ data, limit }, quiet);
  const wanted = model.inputs[0].shape.slice(1) as number[];
  if (!tf.util.arraysEqual(wanted, test.shape)) {
    throw new FtwtError(
      'INVALID_ARGUMENT',
      `--data: the model takes images of [${wanted.join(', ')}], those of ${name} are [${test.shape.join(', ')}]`,
    );
  }
  const batchSize = Math.min(count, test.count);
  const [{ x }] = batches(test, { batchSize, shuffle: 0, mean, std });
  return { images: x, count: batchSize, source: name };
}
