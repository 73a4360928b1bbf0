/** How the layers of this package get into tfjs's registry, so that saved models load by class name. */
import * as tf from '@tensorflow/tfjs';

type SerializableClass = Parameters<typeof tf.serialization.registerClass>[0];

/** Registers a layer class under its static `className`. tfjs types a class by its `fromConfig` alone. */
export function registerLayer(layerClass: unknown): void {
  tf.serialization.registerClass(layerClass as SerializableClass);
}
