/** Results as tables. */
import { quantile } from '../../src/timing/statistics.js';
import { markdownTable } from '../harness.js';
import { networkOf } from './networks.js';
import type { Row } from './rounds.js';
import { reductionOf, type ContenderName } from './spec.js';

/** Of those that are installed. */
export type PeerVersions = Partial<Record<ContenderName, string>>;

/** The row of a contender in the same case. */
export function rowOf(rows: Row[], { network, batch, threads }: Row, contender: ContenderName) {
  return rows.find(
    (row) =>
      row.network === network &&
      row.batch === batch &&
      row.threads === threads &&
      row.contender === contender,
  );
}

/**
 * How many times faster than ONNX Runtime on the dense network: the median of the rounds' ratios. Within a round what else
 * a shared machine does is much the same for both.
 */
export function speedUp(rows: Row[], row: Row): number | undefined {
  const ort = rowOf(rows, row, 'ort');
  if (ort === undefined) return undefined;
  const both = Math.min(ort.rounds.length, row.rounds.length); // slow contenders are timed in the first rounds only
  const ratios = row.rounds.slice(0, both).map((median, round) => ort.rounds[round] / median);
  return quantile(ratios, 0.5);
}

/**
 * A line for each network and batch, milliseconds of the batch and, in brackets, how many times faster than ONNX Runtime;
 * then geometric means.
 * @param rows of one number of threads
 * @param versions of the peers
 * @param others of other numbers of threads, of which the geometric means are told
 */
export function modelsTable(
  rows: Row[],
  contenders: ContenderName[],
  versions: PeerVersions,
  others: Row[] = [],
): string {
  const cases = rows.filter((row) => rows.find((other) => sameCase(row, other)) === row);
  const lines = cases.map((first) => [
    networkOf(first.network).title,
    String(first.batch),
    ...contenders.map((contender) => cell(rows, rowOf(rows, first, contender))),
  ]);
  lines.push(...meanLines(rows, contenders, 'geometric mean'));
  for (const threads of new Set(others.map((row) => row.threads))) {
    const some = others.filter((row) => row.threads === threads);
    lines.push(
      ...meanLines(
        some,
        contenders,
        `geometric mean, ${threads === 1 ? 'one thread' : `${threads} threads`}`,
      ),
    );
  }
  return markdownTable(['network', 'batch', ...contenders.map((c) => heading(c, versions))], lines);
}

/** Of each batch, and of all. */
function meanLines(rows: Row[], contenders: ContenderName[], title: string): string[][] {
  const batches = [...new Set(rows.map(({ batch }) => batch))];
  const groups = [...batches.map((batch) => [batch]), ...(batches.length > 1 ? [batches] : [])];
  return groups.map((group) => {
    const within = rows.filter(({ batch }) => group.includes(batch));
    const label = group.length === 1 ? String(group[0]) : 'all';
    return [title, label, ...contenders.map((contender) => meanCell(within, contender))];
  });
}

function sameCase(a: Row, b: Row): boolean {
  return a.network === b.network && a.batch === b.batch && a.threads === b.threads;
}

function heading(contender: ContenderName, versions: PeerVersions): string {
  if (contender === 'ort') return `ONNX Runtime ${versions.ort ?? ''}`.trim();
  if (contender === 'wasm') return `tfjs wasm ${versions.wasm ?? ''}`.trim();
  const reduction = reductionOf(contender);
  return reduction === undefined ? 'dense' : `${Math.round(100 * reduction)} % skipped`;
}

function cell(rows: Row[], row: Row | undefined): string {
  if (row === undefined) return '-';
  const ratio = row.contender === 'ort' ? undefined : speedUp(rows, row);
  return ratio === undefined ? ms(row.median) : `${ms(row.median)} (${times(ratio)})`;
}

/** Over the cases in which both were timed. */
function meanCell(rows: Row[], contender: ContenderName): string {
  const ratios = rows
    .filter((row) => row.contender === contender)
    .map((row) => speedUp(rows, row))
    .filter((ratio) => ratio !== undefined);
  if (ratios.length === 0 || contender === 'ort') return '-';
  return times(Math.exp(ratios.reduce((sum, ratio) => sum + Math.log(ratio), 0) / ratios.length));
}

export function ms(value: number): string {
  return value < 10 ? value.toFixed(2) : value < 100 ? value.toFixed(1) : value.toFixed(0);
}

function times(ratio: number): string {
  return `${ratio.toFixed(ratio < 10 ? 2 : 0)}x`;
}
