/** Loads the package and chooses what it computes on. */
import * as tf from '@tensorflow/tfjs';
import { setThreads } from '../index.js';
import type { DeviceOptions } from './options.js';

export async function setUpDevice({ device, threads }: DeviceOptions): Promise<void> {
  if (threads !== undefined) setThreads(threads);
  await tf.setBackend(device);
}
