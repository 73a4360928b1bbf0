/** CIFAR-10 and CIFAR-100 in their binary format (A. Krizhevsky, "Learning Multiple Layers of Features", 2009). */
import { readFile } from 'node:fs/promises';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { check, FtwtError } from '../errors.js';
import type { Dataset, Split } from './types.js';

/** How to read CIFAR-100. */
export interface Cifar100Options {
  /** 100 fine or 20 coarse classes. Default `fine`. */
  labels?: 'fine' | 'coarse';
}

/** One of the binary formats: label bytes, then 32x32 red, green and blue planes. */
export interface CifarLayout {
  name: string;
  /** The directory inside the official archive. */
  archiveDirectory: string;
  train: string[];
  test: string[];
  /** Images per file. */
  trainRecords: number;
  testRecords: number;
  labelBytes: number;
  /** Which of the label bytes counts. */
  labelIndex: number;
  /** The file of class names, one a line. */
  names: string;
  classes: number;
}

const height = 32;
const width = 32;
const plane = height * width;
const channels = 3;

/** Layout of the official CIFAR-10 archive. */
export const cifar10Layout: CifarLayout = {
  name: 'cifar10',
  archiveDirectory: 'cifar-10-batches-bin',
  train: [1, 2, 3, 4, 5].map((i) => `data_batch_${i}.bin`),
  test: ['test_batch.bin'],
  trainRecords: 10_000,
  testRecords: 10_000,
  labelBytes: 1,
  labelIndex: 0,
  names: 'batches.meta.txt',
  classes: 10,
};

/** Layout of the official CIFAR-100 archive. */
export function cifar100Layout(labels: 'fine' | 'coarse'): CifarLayout {
  return {
    name: labels === 'fine' ? 'cifar100' : 'cifar100-coarse',
    archiveDirectory: 'cifar-100-binary',
    train: ['train.bin'],
    test: ['test.bin'],
    trainRecords: 50_000,
    testRecords: 10_000,
    labelBytes: 2,
    labelIndex: labels === 'fine' ? 1 : 0,
    names: `${labels}_label_names.txt`,
    classes: labels === 'fine' ? 100 : 20,
  };
}

/**
 * Loads CIFAR-10 from `data_batch_1.bin` .. `test_batch.bin` and `batches.meta.txt`.
 * @param directory holds these files, or the official archive's `cifar-10-batches-bin`
 * @throws FtwtError NOT_FOUND, CORRUPT_FILE
 */
export function loadCifar10(directory: string): Promise<Dataset> {
  return loadCifar(directory, cifar10Layout);
}

/**
 * Loads CIFAR-100 from `train.bin`, `test.bin` and `fine_label_names.txt` or `coarse_label_names.txt`.
 * @param directory holds these files, or the official archive's `cifar-100-binary`
 * @throws FtwtError NOT_FOUND, CORRUPT_FILE, INVALID_ARGUMENT
 */
export async function loadCifar100(
  directory: string,
  { labels = 'fine' }: Cifar100Options = {},
): Promise<Dataset> {
  check(
    labels === 'fine' || labels === 'coarse',
    () => `loadCifar100: labels must be fine or coarse, got ${labels}`,
  );
  return loadCifar(directory, cifar100Layout(labels));
}

/** Loads any layout; tests use smaller ones. */
export async function loadCifar(directory: string, layout: CifarLayout): Promise<Dataset> {
  const nested = join(directory, layout.archiveDirectory);
  const root = existsSync(nested) ? nested : directory;
  const names = await read(join(root, layout.names), directory);
  const classes = names
    .toString('utf8')
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '');
  if (classes.length !== layout.classes) {
    throw new FtwtError(
      'CORRUPT_FILE',
      `${join(root, layout.names)}: expected ${layout.classes} class names, got ${classes.length}`,
    );
  }
  const load = async (files: string[], records: number): Promise<Split> => {
    const count = files.length * records;
    const images = new Uint8Array(count * plane * channels);
    const labels = new Uint8Array(count);
    for (const [i, file] of files.entries()) {
      const path = join(root, file);
      const bytes = await read(path, directory);
      parseRecords(bytes, path, layout, {
        images: images.subarray(
          i * records * plane * channels,
          (i + 1) * records * plane * channels,
        ),
        labels: labels.subarray(i * records, (i + 1) * records),
      });
    }
    return { images, labels, count, shape: [height, width, channels] };
  };
  return {
    name: layout.name,
    classes,
    train: await load(layout.train, layout.trainRecords),
    test: await load(layout.test, layout.testRecords),
  };
}

/** Turns planar records into [n, h, w, c] images. */
function parseRecords(
  bytes: Uint8Array,
  path: string,
  { labelBytes, labelIndex, classes }: CifarLayout,
  to: { images: Uint8Array; labels: Uint8Array },
): void {
  const record = labelBytes + plane * channels;
  const count = to.labels.length;
  if (bytes.length !== count * record) {
    throw new FtwtError(
      'CORRUPT_FILE',
      `${path}: expected ${count * record} bytes (${count} images), got ${bytes.length}`,
    );
  }
  for (let i = 0; i < count; i++) {
    const label = bytes[i * record + labelIndex];
    if (label >= classes) {
      throw new FtwtError(
        'CORRUPT_FILE',
        `${path}: labels must be below ${classes}, got ${label} at image ${i}`,
      );
    }
    to.labels[i] = label;
    for (let channel = 0; channel < channels; channel++) {
      const from = i * record + labelBytes + channel * plane;
      let write = i * plane * channels + channel;
      for (let k = 0; k < plane; k++, write += channels) to.images[write] = bytes[from + k];
    }
  }
}

async function read(path: string, directory: string): Promise<Buffer> {
  return readFile(path).catch((cause: Error) => {
    throw new FtwtError(
      'NOT_FOUND',
      `${path} cannot be read: ${cause.message}. ` +
        `Unpack the binary version from https://www.cs.toronto.edu/~kriz/cifar.html into ${directory}`,
      { cause },
    );
  });
}
