/** The data set that a command names, with progress on the terminal. */
import { createRandom, permutation } from '../data/random.js';
import { loadDataset, type DataProgress, type Dataset, type Split } from '../data/index.js';
import type { DataOptions } from './options.js';

/** @param quiet no progress */
export async function loadData({ data, limit }: DataOptions, quiet = false): Promise<Dataset> {
  const dataset = await loadDataset(data, quiet ? {} : { onProgress: progressPrinter() });
  if (limit === undefined) return dataset;
  return {
    ...dataset,
    train: subset(dataset.train, limit),
    test: subset(dataset.test, limit),
  };
}

/** A random choice of `count` images, always the same one: the order of a data set often follows its classes. */
function subset(split: Split, count: number): Split {
  if (count >= split.count) return split;
  const chosen = permutation(split.count, createRandom(0)).slice(0, count).sort();
  const size = split.shape[0] * split.shape[1] * split.shape[2];
  const images = new Uint8Array(count * size);
  chosen.forEach((index, i) =>
    images.set(split.images.subarray(index * size, (index + 1) * size), i * size),
  );
  return { ...split, images, labels: Int32Array.from(chosen, (i) => split.labels[i]), count };
}

/** Tells at most once a second, and when a source or file begins. */
function progressPrinter(): (progress: DataProgress) => void {
  let last = { time: -Infinity, title: '' };
  return ({ source, file, unit, done, total }) => {
    const title = file === undefined ? source : `${source}, ${file}`;
    const now = performance.now();
    if (title === last.title && now - last.time < 1000) return;
    last = { time: now, title };
    const amount = (count: number) =>
      unit === 'bytes' ? `${(count / 1e6).toFixed(1)} MB` : `${count} images`;
    console.error(`${title}: ${amount(done)}${total === undefined ? '' : ` of ${amount(total)}`}`);
  };
}
