/** Image folders: one directory per class, JPEG or PNG files inside. */
import { readdir } from 'node:fs/promises';
import { basename, extname, join, resolve } from 'node:path';
import { check, FtwtError } from '../errors.js';
import { cacheDirectory } from './cache.js';
import { decodeImages, firstFormat } from './decode.js';
import { decodedOnce } from './decodedCache.js';
import { checkSeed, createRandom, permutation } from './random.js';
import type { Dataset, OnProgress, Split } from './types.js';

/** How to read an image folder. */
export interface ImageFolderOptions {
  /** [height, width] that every image is brought to. Default: the size of the first image; others must agree. */
  size?: [height: number, width: number];
  /** `cover` cuts what sticks out, centred; `fill` changes the aspect ratio. Default `cover`. */
  fit?: 'cover' | 'fill';
  /** 1: grey, 3: RGB; images are converted. Default: what the first image has. */
  channels?: 1 | 3;
  /** Leave out files that do not decode, and list them in `skipped`. Default: they are an error. */
  skipCorrupt?: boolean;
  /** Share of every class that becomes the test split, if the folder has no split of its own. Default 0.1. */
  testShare?: number;
  /** Seed of that choice. Default 0. */
  seed?: number;
  /**
   * Keep the decoded images in the cache directory, for the next time. Default: from 2000 images on; below, decoding
   * takes a second or two.
   */
  cacheDecoded?: boolean;
  /** Default: the environment's FTWT_CACHE, or `tfjs-ftwt` in the user's cache directory. */
  cacheDirectory?: string;
  onProgress?: OnProgress;
}

/** A data set read from files. */
export interface ImageFolderDataset extends Dataset {
  /** Files left out because they do not decode (`skipCorrupt`). */
  skipped: string[];
}

interface Labelled {
  path: string;
  label: number;
}

const extensions = new Set(['.jpg', '.jpeg', '.png']);
const testNames = ['test', 'val'];
const worthCaching = 2000;

/**
 * Loads `directory/train/<class>/*` and `directory/test/<class>/*` (or `val`), or `directory/<class>/*`, which is
 * divided by `testShare`. Classes and files are taken in the order of their names; other files and hidden ones are
 * left out. Alpha is dropped, 16 bits become 8, and the orientation of EXIF is applied.
 * @throws FtwtError NOT_FOUND for a missing or unreadable directory, CORRUPT_FILE for an image that does not decode or
 *   has another size, INVALID_ARGUMENT for wrong options or a folder without images
 */
export async function loadImageFolder(
  directory: string,
  options: ImageFolderOptions = {},
): Promise<ImageFolderDataset> {
  checkOptions(options);
  const { classes, train, test } = await list(directory, options);
  const all = [...train, ...test];
  const skipCorrupt = options.skipCorrupt ?? false;
  const format = await firstFormat(
    all.map(({ path }) => path),
    options,
    skipCorrupt,
  );
  const fit = options.fit ?? 'cover';
  const resize = options.size !== undefined;
  const useCache = options.cacheDecoded ?? all.length >= worthCaching;
  const skipped: string[] = [];
  let done = 0;
  const report = (count: number) =>
    options.onProgress?.({
      source: directory,
      unit: 'images',
      done: (done += count),
      total: all.length,
    });
  const read = async (name: string, files: Labelled[]): Promise<Split> => {
    const paths = files.map(({ path }) => path);
    const before = done;
    const decode = () =>
      decodeImages(paths, { format, fit, resize, skipCorrupt, onDecoded: () => report(1) });
    const key = {
      folder: join(directory, name),
      paths,
      settings: { format, fit, resize, skipCorrupt },
    };
    const { images, kept } = useCache
      ? await decodedOnce(options.cacheDirectory ?? cacheDirectory(), key, decode)
      : await decode();
    if (done === before) report(paths.length); // from the cache
    check(kept.length > 0, () => `${directory}: no image of the ${name} split decodes`);
    const used = new Set(kept);
    skipped.push(...paths.filter((_, i) => !used.has(i)));
    const labels = kept.map((i) => files[i].label);
    return {
      images,
      labels: classes.length <= 256 ? Uint8Array.from(labels) : Int32Array.from(labels),
      count: kept.length,
      shape: [format.height, format.width, format.channels],
    };
  };
  return {
    name: basename(resolve(directory)),
    classes,
    train: await read('train', train),
    test: await read('test', test),
    skipped,
  };
}

/** All image files with their labels, in both splits. */
async function list(
  directory: string,
  { testShare = 0.1, seed = 0 }: ImageFolderOptions,
): Promise<{ classes: string[]; train: Labelled[]; test: Labelled[] }> {
  const top = await subdirectories(directory);
  const testName = testNames.find((name) => top.includes(name));
  if (top.includes('train') && testName) {
    const classes = await subdirectories(join(directory, 'train'));
    return {
      classes,
      train: (await listSplit(join(directory, 'train'), classes)).flat(),
      test: (await listSplit(join(directory, testName), classes)).flat(),
    };
  }
  const train: Labelled[] = [];
  const test: Labelled[] = [];
  for (const [label, files] of (await listSplit(directory, top)).entries()) {
    check(
      files.length >= 2,
      () => `${directory}: class ${top[label]} needs at least 2 images to be split, got 1`,
    );
    const testCount = Math.min(files.length - 1, Math.max(1, Math.round(files.length * testShare)));
    const order = permutation(files.length, createRandom(seed, label));
    const inTest = new Set(order.subarray(0, testCount));
    files.forEach((file, i) => (inTest.has(i) ? test : train).push(file));
  }
  return { classes: top, train, test };
}

/** The files of every class; all directories must be known classes, and none may be empty. */
async function listSplit(directory: string, classes: string[]): Promise<Labelled[][]> {
  const present = await subdirectories(directory);
  const unknown = present.find((name) => !classes.includes(name));
  check(unknown === undefined, () => `${join(directory, unknown!)}: no such class in train`);
  check(present.length > 0, () => `${directory}: expected one directory per class, got none`);
  return Promise.all(
    present.map(async (name) => {
      const label = classes.indexOf(name);
      const files = (await entries(join(directory, name)))
        .filter(
          (entry) => extensions.has(extname(entry.name).toLowerCase()) && !entry.isDirectory(),
        )
        .map((entry) => ({ path: join(directory, name, entry.name), label }));
      check(
        files.length > 0,
        () => `${join(directory, name)}: expected JPEG or PNG files, got none`,
      );
      return files;
    }),
  );
}

async function subdirectories(directory: string): Promise<string[]> {
  return (await entries(directory)).filter((entry) => entry.isDirectory()).map(({ name }) => name);
}

/** Sorted by code units, which is the same in every locale. */
async function entries(directory: string) {
  const all = await readdir(directory, { withFileTypes: true }).catch((cause: Error) => {
    throw new FtwtError('NOT_FOUND', `${directory} cannot be read: ${cause.message}`, { cause });
  });
  return all.filter(({ name }) => !name.startsWith('.')).sort((a, b) => (a.name < b.name ? -1 : 1));
}

function checkOptions({ size, fit, channels, testShare, seed = 0 }: ImageFolderOptions): void {
  checkSeed(seed, 'loadImageFolder: seed');
  check(
    size === undefined ||
      (size.length === 2 && size.every((value) => Number.isInteger(value) && value >= 1)),
    () => `loadImageFolder: size must be [height, width] with integers >= 1, got [${size}]`,
  );
  check(
    fit === undefined || fit === 'cover' || fit === 'fill',
    () => `loadImageFolder: fit must be cover or fill, got ${fit}`,
  );
  check(
    channels === undefined || channels === 1 || channels === 3,
    () => `loadImageFolder: channels must be 1 or 3, got ${channels}`,
  );
  check(
    testShare === undefined || (testShare > 0 && testShare < 1),
    () => `loadImageFolder: testShare must be between 0 and 1, got ${testShare}`,
  );
}
