/** Decodes image files into one array, several at a time. */
import { readFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import sharp, { type Sharp } from 'sharp';
import { FtwtError } from '../errors.js';

/** What every decoded image looks like. */
export interface ImageFormat {
  height: number;
  width: number;
  channels: 1 | 3;
}

/** How to decode. */
export interface DecodeOptions {
  format: ImageFormat;
  fit: 'cover' | 'fill';
  /** Bring other sizes to `format`; otherwise they are an error. */
  resize: boolean;
  /** Leave out files that do not decode; otherwise they are an error. */
  skipCorrupt: boolean;
  /** After every file. */
  onDecoded: () => void;
}

/** Decoded images and where they come from. */
export interface Decoded {
  /** [kept.length, h, w, c] */
  images: Uint8Array;
  /** Indices into the list of paths, ascending. */
  kept: number[];
}

/** The format that the first readable image and the options imply. */
export async function firstFormat(
  paths: string[],
  { size, channels }: { size?: [number, number]; channels?: 1 | 3 },
  skipCorrupt: boolean,
): Promise<ImageFormat> {
  if (size && channels) return { height: size[0], width: size[1], channels };
  for (const path of paths) {
    try {
      const metadata = await open(await read(path))
        .metadata()
        .catch((cause: Error) => {
          throw corrupt(path, cause.message, cause);
        });
      const { height, width } = metadata.autoOrient;
      return {
        height: size?.[0] ?? height,
        width: size?.[1] ?? width,
        channels: channels ?? (metadata.channels! < 3 ? 1 : 3),
      };
    } catch (error) {
      if (!skipCorrupt || !isCorrupt(error)) throw error;
    }
  }
  throw corrupt(paths[0], 'and neither does any other image');
}

/**
 * Decodes all files. Order and bytes of the result don't depend on which file is ready first.
 * @throws FtwtError CORRUPT_FILE or NOT_FOUND that names the file
 */
export async function decodeImages(paths: string[], options: DecodeOptions): Promise<Decoded> {
  const { height, width, channels } = options.format;
  const size = height * width * channels;
  const images = new Uint8Array(paths.length * size);
  const failed = new Set<number>();
  let next = 0;
  const worker = async () => {
    while (next < paths.length) {
      const i = next++;
      try {
        images.set(await decode(paths[i], options), i * size);
      } catch (error) {
        if (!options.skipCorrupt || !isCorrupt(error)) {
          next = paths.length; // the others stop as well
          throw error;
        }
        failed.add(i);
      }
      options.onDecoded();
    }
  };
  // Twice the cores: reading one file overlaps with decoding another.
  await Promise.all(Array.from({ length: 2 * availableParallelism() }, worker));
  const kept = paths.map((_, i) => i).filter((i) => !failed.has(i));
  if (failed.size > 0)
    kept.forEach((from, to) => images.copyWithin(to * size, from * size, (from + 1) * size));
  return { images: images.subarray(0, kept.length * size), kept };
}

async function decode(path: string, { format, fit, resize }: DecodeOptions): Promise<Buffer> {
  const { height, width, channels } = format;
  let image = open(await read(path));
  if (resize) image = image.resize({ width, height, fit });
  const { data, info } = await image
    .removeAlpha()
    .toColourspace(channels === 1 ? 'b-w' : 'srgb')
    .raw()
    .toBuffer({ resolveWithObject: true })
    .catch((cause: Error) => {
      throw corrupt(path, cause.message, cause);
    });
  if (info.width !== width || info.height !== height) {
    throw new FtwtError(
      'INVALID_ARGUMENT',
      `${path}: expected ${height}x${width} pixels (height x width) like the first image, ` +
        `got ${info.height}x${info.width}; give \`size\` to bring all images to one size`,
    );
  }
  if (data.length !== height * width * channels) {
    throw corrupt(path, `expected ${channels} channels, got ${info.channels}`);
  }
  return data;
}

/** failOn error: a truncated file must not become a half grey image; mere warnings are harmless. */
function open(bytes: Buffer): Sharp {
  return sharp(bytes, { failOn: 'error', autoOrient: true });
}

async function read(path: string): Promise<Buffer> {
  const bytes = await readFile(path).catch((cause: Error) => {
    throw new FtwtError('NOT_FOUND', `${path} cannot be read: ${cause.message}`, { cause });
  });
  if (bytes.length === 0) throw corrupt(path, 'the file is empty');
  return bytes;
}

function corrupt(path: string, reason: string, cause?: Error): FtwtError {
  return new FtwtError('CORRUPT_FILE', `${path} does not decode: ${reason}`, { cause });
}

function isCorrupt(error: unknown): boolean {
  return error instanceof FtwtError && error.code === 'CORRUPT_FILE';
}
