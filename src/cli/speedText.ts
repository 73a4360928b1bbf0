/** Measured speeds for the terminal. */
import { grouped, percent } from '../report/format.js';
import type { SpeedResults, SpeedRow } from '../timing/speed.js';
import { table } from './table.js';

/** Three digits: `0.0123`, `1.23`, `12.3`, `123`. */
export function milliseconds(value: number): string {
  if (value === 0) return '0';
  return value >= 100 ? grouped(value) : value.toPrecision(3);
}

/** The same for what may be below one a second. */
export function perSecond(value: number): string {
  return value >= 100 ? grouped(value) : value.toPrecision(3);
}

/**
 * The contenders at one batch size, each beside `base`.
 * @param base the contender whose speed is 1
 */
export function speedTable(batch: number, { rows, failures }: SpeedResults, base: string): string {
  const baseRow = rows.find(({ contender }) => contender === base);
  const timed = rows.map((row) => [
    row.contender,
    perSecond(row.imagesPerSecond.median),
    rangeOf(row),
    milliseconds(row.milliseconds.median),
    baseRow === undefined ? '-' : ratioOf(row, baseRow),
    row.macsShare === undefined ? '-' : percent(row.macsShare, 1),
  ]);
  const failed = failures.map(({ contender, wrong }) => [
    ...[contender, wrong ? 'wrong' : 'failed'],
    ...['-', '-', '-', '-'],
  ]);
  const header = [`batch ${batch}`, 'images/s', '10 % to 90 %', 'ms', 'ratio', 'MACs'];
  return table(header, [...timed, ...failed]);
}

function rangeOf({ imagesPerSecond: { p10, p90 } }: SpeedRow): string {
  return `${perSecond(p10)} to ${perSecond(p90)}`;
}

function ratioOf(row: SpeedRow, base: SpeedRow): string {
  const ratio = row.imagesPerSecond.median / base.imagesPerSecond.median;
  return `${ratio < 10 ? ratio.toFixed(2) : ratio.toFixed(0)}x`;
}

/** @param source of `sampleImages` */
export function imagesText(count: number, source: string): string {
  const images = count === 1 ? 'image' : 'images';
  return source === 'random' ? `${count} random ${images}` : `${count} ${images} of ${source}`;
}

export interface DeviceFacts {
  device: string;
  precision: string;
  threads: number;
  instructionSet: string;
}

export function deviceText({ device, precision, threads, instructionSet }: DeviceFacts): string {
  if (device !== 'native') return `${device}, ${precision}`;
  return `native, ${instructionSet}, ${threads} ${threads === 1 ? 'thread' : 'threads'}`;
}
