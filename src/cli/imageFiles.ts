/** Image files as a model takes them: decoded, resized as the image folder loader does, normalised. */
import type * as tf from '@tensorflow/tfjs';
import { batches } from '../data/index.js';
import { decodeImages, type ImageFormat } from '../data/decode.js';
import { FtwtError } from '../errors.js';
import { normalisationOf } from '../train/normalisation.js';

export interface ReadFiles {
  /** [paths.length, h, w, c]; normalised. */
  images: Float32Array;
  /** Of those that could be read. */
  paths: string[];
  errors: FtwtError[];
}

export class ImageReader {
  private readonly format: ImageFormat;
  private readonly normalisation: { mean: number[]; std: number[] };

  /** @throws FtwtError INVALID_ARGUMENT for a model that takes no images, or does not tell how they were normalised */
  constructor(
    model: tf.LayersModel,
    private readonly fit: 'cover' | 'fill',
  ) {
    const shape = model.inputs[0].shape.slice(1);
    const [height, width, channels] = shape;
    if (shape.length !== 3 || !height || !width || (channels !== 1 && channels !== 3)) {
      throw new FtwtError(
        'INVALID_ARGUMENT',
        `predict: expected a model of grey or RGB images, [h, w, 1] or [h, w, 3], got [${shape.join(', ')}]`,
      );
    }
    this.format = { height, width, channels };
    const { mean, std } = normalisationOf(model);
    if (mean === undefined || std === undefined) {
      throw new FtwtError(
        'INVALID_ARGUMENT',
        'predict: the model does not tell how images were normalised: it was not trained with fit',
      );
    }
    this.normalisation = { mean, std };
  }

  /** @returns what can be read, and why the rest cannot */
  async read(paths: readonly string[]): Promise<ReadFiles> {
    const { height, width, channels } = this.format;
    const decoded = await Promise.all(paths.map((path) => this.decode(path)));
    const good = decoded.filter((result) => result instanceof Uint8Array);
    const errors = decoded.filter((result) => result instanceof FtwtError);
    const kept = paths.filter((_, i) => decoded[i] instanceof Uint8Array);
    if (good.length === 0) return { images: new Float32Array(), paths: [], errors };
    const split = {
      images: Buffer.concat(good),
      labels: new Uint8Array(good.length),
      count: good.length,
      shape: [height, width, channels] as [number, number, number],
    };
    const [{ x }] = batches(split, { batchSize: good.length, ...this.normalisation });
    return { images: x, paths: kept, errors };
  }

  private async decode(path: string): Promise<Uint8Array | FtwtError> {
    const { format, fit } = this;
    const options = { format, fit, resize: true, skipCorrupt: false, onDecoded: () => undefined };
    try {
      return (await decodeImages([path], options)).images;
    } catch (error) {
      if (error instanceof FtwtError) return error;
      throw error;
    }
  }
}
