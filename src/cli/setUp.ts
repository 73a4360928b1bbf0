/** Loads the package and chooses what it computes on. */
import { setDevice, setPrecision, setThreads } from '../index.js';
import type { DeviceOptions } from './options.js';

export async function setUpDevice({ device, threads, precision }: DeviceOptions): Promise<void> {
  if (threads !== undefined) setThreads(threads);
  await setDevice(device);
  if (precision !== undefined) setPrecision(precision);
}

/** For commands that compile: a session has its own device, and is compared with tfjs on the native kernels. */
export async function setUpSessions({ threads }: Pick<DeviceOptions, 'threads'>): Promise<void> {
  await setUpDevice({ device: 'native', threads });
}
