/** Fashion-MNIST (H. Xiao, K. Rasul, R. Vollgraf, arXiv 1708.07747): 70,000 images of 28x28x1 in 10 classes. */
import { join } from 'node:path';
import { FtwtError } from '../errors.js';
import { cacheDirectory } from './cache.js';
import { parseIdx } from './idx.js';
import { obtainFiles, type DataFile } from './obtain.js';
import { aptSource } from './sources/apt.js';
import { httpSource } from './sources/http.js';
import type { Dataset, OnProgress, Split } from './types.js';

/** How to find Fashion-MNIST. */
export interface FashionMnistOptions {
  /** Default: the environment's FTWT_CACHE, or `tfjs-ftwt` in the user's cache directory. */
  cacheDirectory?: string;
  /** Fetch nothing. Default: whether the environment's FTWT_OFFLINE is set (and not 0). */
  offline?: boolean;
  onProgress?: OnProgress;
}

const fileNames = {
  trainImages: 'train-images-idx3-ubyte',
  trainLabels: 'train-labels-idx1-ubyte',
  testImages: 't10k-images-idx3-ubyte',
  testLabels: 't10k-labels-idx1-ubyte',
};

const files: DataFile[] = [
  {
    name: fileNames.trainImages,
    bytes: 47_040_016,
    sha256: 'c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888',
  },
  {
    name: fileNames.trainLabels,
    bytes: 60_008,
    sha256: 'bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9',
  },
  {
    name: fileNames.testImages,
    bytes: 7_840_016,
    sha256: '5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b',
  },
  {
    name: fileNames.testLabels,
    bytes: 10_008,
    sha256: '0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34',
  },
];

const mirrors = [
  'https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/',
  'https://fashion-mnist.s3.eu-central-1.amazonaws.com/',
  'https://storage.googleapis.com/tensorflow/tf-keras-datasets/',
];

const classes = [
  'T-shirt/top',
  'Trouser',
  'Pullover',
  'Dress',
  'Coat',
  'Sandal',
  'Shirt',
  'Sneaker',
  'Bag',
  'Ankle boot',
];

/**
 * Loads all of Fashion-MNIST: from the cache, from /usr/share/datasets/fashion-mnist, or fetched into the cache
 * from the official mirrors or (Debian, Ubuntu) from the package dataset-fashion-mnist, which needs no root.
 * All contents are verified by SHA-256, wherever they come from.
 * @throws FtwtError NOT_FOUND that lists every attempt and what to do
 */
export async function loadFashionMnist(options: FashionMnistOptions = {}): Promise<Dataset> {
  const cache = join(options.cacheDirectory ?? cacheDirectory(), 'fashion-mnist');
  const contents = await obtainFiles({
    title: 'Fashion-MNIST',
    files,
    cache,
    directories: ['/usr/share/datasets/fashion-mnist'],
    sources: [
      ...mirrors.map((mirror) => httpSource(mirror)),
      aptSource({
        package: 'dataset-fashion-mnist',
        directory: 'usr/share/datasets/fashion-mnist',
      }),
    ],
    offline: options.offline ?? !['', '0', undefined].includes(process.env.FTWT_OFFLINE),
    remedies: [
      'Debian, Ubuntu: sudo apt-get update && sudo apt-get install dataset-fashion-mnist',
      `anywhere: put ${files.map(({ name }) => `${name}.gz`).join(', ')} ` +
        `from https://github.com/zalandoresearch/fashion-mnist into ${cache}`,
      'data elsewhere: set FTWT_CACHE to the directory that holds fashion-mnist/ with these files',
      'no data at all: the made-up data set `synthetic` shows that everything runs',
    ],
    onProgress: options.onProgress,
  });
  const split = (images: string, labels: string) =>
    parseSplit(contents.get(images)!, contents.get(labels)!, images, labels);
  return {
    name: 'fashion-mnist',
    classes,
    train: split(fileNames.trainImages, fileNames.trainLabels),
    test: split(fileNames.testImages, fileNames.testLabels),
  };
}

/** Joins an IDX file of images and one of labels. */
export function parseSplit(
  imageFile: Uint8Array,
  labelFile: Uint8Array,
  imageName: string,
  labelName: string,
): Split {
  const images = parseIdx(imageFile, imageName, 3);
  const labels = parseIdx(labelFile, labelName, 1);
  const [count, h, w] = images.sizes;
  if (labels.sizes[0] !== count) {
    throw new FtwtError(
      'CORRUPT_FILE',
      `${labelName}: expected ${count} labels, one for each image of ${imageName}, got ${labels.sizes[0]}`,
    );
  }
  const tooLarge = labels.data.findIndex((label) => label >= classes.length);
  if (tooLarge >= 0) {
    throw new FtwtError(
      'CORRUPT_FILE',
      `${labelName}: labels must be below ${classes.length}, got ${labels.data[tooLarge]} at ${tooLarge}`,
    );
  }
  return { images: images.data, labels: labels.data, count, shape: [h, w, 1] };
}
