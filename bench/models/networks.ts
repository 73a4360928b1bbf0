/** The networks that are timed, with random weights. */
import type * as tf from '@tensorflow/tfjs';
import { mobilenetV1, resnet, vgg16Bn } from '../../src/index.js';
import { imagenetResnet } from './imagenetResnet.js';
import { convolutions } from './convolutions.js';

export interface BenchNetwork {
  /** As the tables have it. */
  title: string;
  build(): tf.LayersModel;
}

const imagenet = { inputShape: [224, 224, 3] as [number, number, number], classes: 1000, seed: 1 };

/** By the names of the command line. */
export const wholeNetworks: Record<string, BenchNetwork> = {
  vgg16: { title: 'VGG16-BN, 32x32', build: () => vgg16Bn({ seed: 1 }) },
  resnet56: { title: 'ResNet-56, 32x32', build: () => resnet({ depth: 56, seed: 1 }) },
  mobilenet32: { title: 'MobileNetV1, 32x32', build: () => mobilenetV1({ seed: 1 }) },
  resnet18: {
    title: 'ResNet-18, 224x224',
    build: () => imagenetResnet({ depth: 18, ...imagenet }),
  },
  resnet34: {
    title: 'ResNet-34, 224x224',
    build: () => imagenetResnet({ depth: 34, ...imagenet }),
  },
  mobilenet224: { title: 'MobileNetV1, 224x224', build: () => mobilenetV1(imagenet) },
};

/** @throws Error naming those that there are */
export function networkOf(name: string): BenchNetwork {
  const network = wholeNetworks[name] ?? convolutions[name];
  if (network === undefined) throw new Error(`there is no network "${name}"`);
  return network;
}
