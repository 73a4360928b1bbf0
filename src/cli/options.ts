/** Options that several commands share, and the parsers of their values. */
import { InvalidArgumentError, Option, type Command } from 'commander';

/** What `addDeviceOptions` parses. */
export interface DeviceOptions {
  device: 'native' | 'cpu';
  threads?: number;
}

export function addDeviceOptions(command: Command): Command {
  return command
    .addOption(
      new Option('--device <name>', 'native: the kernels of this package; cpu: those of tfjs, slow')
        .choices(['native', 'cpu'])
        .default('native'),
    )
    .option(
      '--threads <count>',
      'threads of the native kernels (default: all cores)',
      positiveInteger,
    );
}

export interface DataOptions {
  data: string;
  limit?: number;
}

export function addDataOptions(command: Command, fallback?: string): Command {
  const data = new Option(
    '--data <set>',
    'fashion-mnist, cifar10:DIR, cifar100:DIR, folder:DIR or synthetic',
  );
  return command
    .addOption(fallback === undefined ? data.makeOptionMandatory() : data.default(fallback))
    .option('--limit <count>', 'use only the first so many images', positiveInteger);
}

export function positiveInteger(text: string): number {
  const value = Number(text);
  if (!/^\d+$/.test(text) || value < 1 || !Number.isSafeInteger(value)) {
    throw new InvalidArgumentError('Expected a whole number above 0.');
  }
  return value;
}

/** For seeds. */
export function wholeNumber(text: string): number {
  const value = Number(text);
  if (!/^\d+$/.test(text) || value > 2 ** 31 - 1) {
    throw new InvalidArgumentError('Expected a whole number from 0 to 2147483647.');
  }
  return value;
}

export function positiveNumber(text: string): number {
  const value = Number(text);
  if (text.trim() === '' || !Number.isFinite(value) || value <= 0) {
    throw new InvalidArgumentError('Expected a number above 0.');
  }
  return value;
}

export function nonNegativeNumber(text: string): number {
  const value = Number(text);
  if (text.trim() === '' || !Number.isFinite(value) || value < 0) {
    throw new InvalidArgumentError('Expected a number, 0 or above.');
  }
  return value;
}

/** For mass and keep ratio. */
export function share(text: string): number {
  const value = Number(text);
  if (text.trim() === '' || !(value > 0 && value <= 1)) {
    throw new InvalidArgumentError('Expected a number above 0 and up to 1.');
  }
  return value;
}

/** For a FLOPs reduction. */
export function properShare(text: string): number {
  const value = Number(text);
  if (text.trim() === '' || !(value > 0 && value < 1)) {
    throw new InvalidArgumentError('Expected a number above 0 and below 1.');
  }
  return value;
}

/** A run's name becomes a folder's. */
export function folderName(text: string): string {
  if (!/^[\w][\w. -]*$/.test(text)) {
    throw new InvalidArgumentError('Expected letters, digits, dots, dashes, spaces.');
  }
  return text;
}
