/** Loads the package and chooses what it computes on. */
import { setDevice, setPrecision, setThreads } from '../index.js';
import type { DeviceOptions } from './options.js';

export async function setUpDevice({ device, threads, precision }: DeviceOptions): Promise<void> {
  if (threads !== undefined) setThreads(threads);
  await setDevice(device);
  if (precision !== undefined) setPrecision(precision);
}
