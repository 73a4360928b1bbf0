/** Options that several commands share, and the parsers of their values. */
import { InvalidArgumentError, Option, type Command } from 'commander';
import type { Precision } from '../binding.js';
import { ranges, type RangedSetting } from '../train/ranges.js';

/** What `addDeviceOptions` parses. */
export interface DeviceOptions {
  /** For `setDevice`. */
  device: string;
  threads?: number;
  precision?: Precision;
}

export function addDeviceOptions(command: Command): Command {
  return command
    .addOption(
      new Option(
        '--device <name>',
        "native: this package's CPU kernels; cuda or cuda:N: a GPU; emulator: the CUDA kernels on the CPU, very slow; cpu: tfjs's kernels, slow",
      )
        .argParser(deviceName)
        .env('FTWT_DEVICE')
        .default('native'),
    )
    .addOption(precisionOption())
    .addOption(threadsOption());
}

/** As `addDeviceOptions`, for commands that compile: tfjs's own kernels run no session. */
export function addSessionOptions(command: Command): Command {
  return command
    .addOption(
      new Option(
        '--device <name>',
        'native: the CPU; cuda or cuda:N: a GPU; emulator: the CUDA kernels on the CPU, very slow',
      )
        .argParser(sessionDeviceName)
        .env('FTWT_DEVICE')
        .default('native'),
    )
    .addOption(precisionOption())
    .addOption(threadsOption());
}

const precisionOption = () =>
  new Option('--precision <name>', 'of products on a GPU').choices(['fp32', 'tf32']);

const threadsOption = () =>
  new Option('--threads <count>', 'threads of the native kernels (default: all cores)').argParser(
    positiveInteger,
  );

function deviceName(text: string): string {
  if (text === 'cpu' || isSessionDevice(text)) return text;
  throw new InvalidArgumentError('Expected native, cpu, cuda, cuda:N or emulator.');
}

function sessionDeviceName(text: string): string {
  if (isSessionDevice(text)) return text;
  throw new InvalidArgumentError('Expected native, cuda, cuda:N or emulator.');
}

function isSessionDevice(text: string): boolean {
  return /^(native|(cuda|emulator)(:\d+)?)$/.test(text);
}

/** Networks that `ftwt train` builds. */
export const modelNames = ['vgg16', 'resnet20', 'resnet56', 'mobilenet', 'vgg-small'] as const;
export type ModelName = (typeof modelNames)[number];

export interface DataOptions {
  data: string;
  limit?: number;
}

export function addDataOptions(command: Command, { mandatory }: { mandatory: boolean }): Command {
  const forms = 'fashion-mnist, cifar10:DIR, cifar100:DIR, folder:DIR or synthetic';
  return command
    .addOption(new Option('--data <set>', forms).makeOptionMandatory(mandatory))
    .option('--limit <count>', 'use so many training and test images at most', positiveInteger);
}

/** How much to prune: see `goalOf`. */
export function addTargetOptions(command: Command): Command {
  return command
    .option('--mass <share>', 'share of the saliency to keep', share)
    .option('--keep-ratio <share>', 'instead: the same share of channels for every image', share)
    .option('--reduction <share>', 'instead: find the mass for this FLOPs reduction', properShare)
    .addOption(
      new Option('--metric <name>', 'how --reduction is counted')
        .choices(['skippable', 'published'])
        .default('skippable'),
    );
}

/** A parser for what goes to `fit` under this name: it takes what `fit` takes. */
export function setting(name: RangedSetting): (text: string) => number {
  const { contains, text: expected } = ranges[name];
  return (text) => {
    const value = text.trim() === '' ? NaN : Number(text);
    if (!contains(value)) throw new InvalidArgumentError(`Expected ${expected}.`);
    return value;
  };
}

export function positiveInteger(text: string): number {
  const value = Number(text);
  if (!/^\d+$/.test(text) || value < 1 || !Number.isSafeInteger(value)) {
    throw new InvalidArgumentError('Expected a whole number above 0.');
  }
  return value;
}

/** For batch sizes: `1,8,32`. */
export function positiveIntegers(text: string): number[] {
  const values = text.split(',').map(Number);
  if (
    !values.every(
      (value, i) => value >= 1 && Number.isSafeInteger(value) && values.indexOf(value) === i,
    )
  ) {
    throw new InvalidArgumentError('Expected whole numbers above 0 with commas, such as 1,8,32.');
  }
  return values;
}

/** For seeds. */
export function wholeNumber(text: string): number {
  const value = Number(text);
  if (!/^\d+$/.test(text) || value > 2 ** 31 - 1) {
    throw new InvalidArgumentError('Expected a whole number from 0 to 2147483647.');
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

/** For times. */
export function positiveNumber(text: string): number {
  const value = Number(text);
  if (text.trim() === '' || !Number.isFinite(value) || value <= 0) {
    throw new InvalidArgumentError('Expected a number above 0.');
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

/** For milestones: `81,122,151`. */
export function ascendingNumbers(text: string): number[] {
  const values = text.split(',').map(Number);
  const ascending = values.every((value, i) => value >= 0 && (i === 0 || value > values[i - 1]));
  if (text.trim() === '' || !ascending) {
    throw new InvalidArgumentError('Expected ascending numbers with commas, such as 81,122,151.');
  }
  return values;
}

/** A run's name becomes a folder's. */
export function folderName(text: string): string {
  if (!/^[\w][\w. -]*$/.test(text)) {
    throw new InvalidArgumentError('Expected letters, digits, dots, dashes, spaces.');
  }
  return text;
}
