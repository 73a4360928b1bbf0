/** One name for every data set, as the command line takes it. */
import { FtwtError } from '../errors.js';
import { loadCifar10, loadCifar100, type Cifar100Options } from './cifar.js';
import { loadFashionMnist, type FashionMnistOptions } from './fashionMnist.js';
import { loadImageFolder, type ImageFolderOptions } from './imageFolder.js';
import { syntheticDataset, type SyntheticOptions } from './synthetic.js';
import type { Dataset } from './types.js';

/** The options of all loaders; each takes its own. */
export type LoadDatasetOptions = FashionMnistOptions &
  Cifar100Options &
  ImageFolderOptions &
  SyntheticOptions;

/** The forms that `loadDataset` takes. */
export const datasetNames = [
  'fashion-mnist',
  'cifar10:DIR',
  'cifar100:DIR',
  'folder:DIR',
  'synthetic',
] as const;

/**
 * Loads a data set by name.
 * @param name `fashion-mnist`, `cifar10:DIR`, `cifar100:DIR`, `folder:DIR` or `synthetic`
 * @throws FtwtError INVALID_ARGUMENT for another name; what the loader of that name throws
 */
export async function loadDataset(
  name: string,
  options: LoadDatasetOptions = {},
): Promise<Dataset> {
  const colon = name.indexOf(':');
  const kind = colon < 0 ? name : name.slice(0, colon);
  const directory = colon < 0 ? '' : name.slice(colon + 1);
  const takesDirectory = ['cifar10', 'cifar100', 'folder'].includes(kind);
  if (takesDirectory === (directory !== '')) {
    if (kind === 'fashion-mnist') return loadFashionMnist(options);
    if (kind === 'cifar10') return loadCifar10(directory);
    if (kind === 'cifar100') return loadCifar100(directory, options);
    if (kind === 'folder') return loadImageFolder(directory, options);
    if (kind === 'synthetic') return syntheticDataset(options);
  }
  throw new FtwtError(
    'INVALID_ARGUMENT',
    `loadDataset: name must be one of ${datasetNames.join(', ')}, got "${name}"`,
  );
}
