/** `ftwt devices`: what `--device` can name. */
import { binding, emulatorBinding, type CudaDevices } from '../../binding.js';
import { FtwtError } from '../../errors.js';
import { table } from '../table.js';

export function devices({ json = false }: { json?: boolean }): void {
  const cuda = binding.cudaDevices();
  const emulator = emulatorDevices();
  if (json) {
    console.log(JSON.stringify({ cuda, emulator }, null, 2));
    return;
  }
  const rows = [...rowsOf('cuda', cuda), ...rowsOf('emulator', emulator)];
  if (rows.length > 0) {
    console.log(table(['device', 'name', 'compute capability', 'memory', 'multiprocessors'], rows));
  }
  if (cuda.devices.length === 0) console.log(`No GPU: ${cuda.reason}`);
}

function rowsOf(kind: string, { devices }: CudaDevices): string[][] {
  return devices.map(({ index, name, computeCapability, memoryBytes, multiprocessors }) => [
    `${kind}:${index}`,
    name,
    computeCapability,
    `${(memoryBytes / 2 ** 30).toFixed(1)} GiB`,
    String(multiprocessors),
  ]);
}

function emulatorDevices(): CudaDevices {
  try {
    return emulatorBinding().cudaDevices();
  } catch (error) {
    if (!(error instanceof FtwtError) || error.code !== 'NO_DEVICE') throw error;
    return { built: false, reason: error.message, devices: [] };
  }
}
