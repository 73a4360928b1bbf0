/** Data sets, batches and augmentation. */
export type { DataProgress, Dataset, ImageShape, OnProgress, Split } from './types.js';
export { batches } from './batches.js';
export type { AugmentOptions, Batch, BatchOptions, BatchSequence } from './batches.js';
export { channelStatistics, type ChannelStatistics } from './statistics.js';
export { loadFashionMnist, type FashionMnistOptions } from './fashionMnist.js';
export { syntheticDataset, type SyntheticOptions } from './synthetic.js';
export { loadCifar10, loadCifar100, type Cifar100Options } from './cifar.js';
export {
  loadImageFolder,
  type ImageFolderDataset,
  type ImageFolderOptions,
} from './imageFolder.js';
export { datasetNames, loadDataset, type LoadDatasetOptions } from './loadDataset.js';
