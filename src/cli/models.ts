/** Networks by the names that the command line takes. */
import type * as tf from '@tensorflow/tfjs';
import { mobilenetV1, resnet, vgg16Bn, vggSmall, type ModelOptions } from '../models/index.js';
import { isDynamic } from '../pruning/macs.js';
import type { ModelName } from './options.js';

const builders: Record<ModelName, (options: ModelOptions) => tf.LayersModel> = {
  vgg16: vgg16Bn,
  resnet20: (options) => resnet({ depth: 20, ...options }),
  resnet56: (options) => resnet({ depth: 56, ...options }),
  mobilenet: mobilenetV1,
  'vgg-small': vggSmall,
};

export function buildModel(name: ModelName, options: Required<ModelOptions>): tf.LayersModel {
  return builders[name](options);
}

export function isDynamicModel(model: tf.LayersModel): boolean {
  return model.layers.some(isDynamic);
}
