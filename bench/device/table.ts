/** The figures of a device, and of PyTorch on the same one, in one table. */
import { markdownTable } from '../harness.js';
import type { Precision } from '../../src/binding.js';
import { reductions, type SessionRow } from './sessions.js';
import { densities, type ByPrecision } from './time.js';

/** One layer or network at one batch. */
export interface Row {
  name: string;
  batch: number;
  /** Of the whole batch. */
  macs: number;
  timings: ByPrecision;
}

/** Milliseconds, medians. `eager` and `graph` are the forward pass; null where PyTorch has no such layer. */
export interface PeerRow {
  name: string;
  batch: number;
  precision: Precision;
  eager: number | null;
  graph: number | null;
  dx: number | null;
  dFilter: number | null;
  /** From memory of the host and back. */
  host: number | null;
}

const shown = reductions.filter((reduction) => reduction > 0);
const reduced = densities.filter((density) => density < 1);

export function deviceTable(rows: Row[], peers: PeerRow[]): string {
  const header = [
    ...['layer or network', 'batch', 'products', 'dense us', 'spread', 'TFLOP/s', 'dx us'],
    ...['dFilter us', 'sparse 1 us', ...reduced.map((density) => `${density}: times dense`)],
    ...['torch us', 'torch graph us', 'torch dx us', 'torch dFilter us', 'dense, % of torch'],
  ];
  return markdownTable(
    header,
    rows.flatMap((row) =>
      (Object.keys(row.timings) as Precision[]).map((precision) =>
        line(row, precision, find(peers, { ...row, precision })),
      ),
    ),
  );
}

function line(row: Row, precision: Precision, peer: PeerRow | undefined): string[] {
  const timings = row.timings[precision]!;
  const { median, min, max } = timings.forward;
  const dense = median;
  const sparse = (density: number) => timings[`sparse ${density}`]?.median;
  const torch = [peer?.eager, peer?.graph].filter((ms) => ms != null);
  const fastest = torch.length > 0 ? Math.min(...torch) : undefined;
  return [
    row.name,
    String(row.batch),
    precision,
    micro(dense),
    `${micro(min)}-${micro(max)}`,
    ((2 * row.macs) / dense / 1e9).toFixed(2),
    micro(timings.dx?.median),
    micro(timings.dFilter?.median),
    micro(sparse(1)),
    ...reduced.map((density) => times(dense, sparse(density))),
    ...[peer?.eager, peer?.graph, peer?.dx, peer?.dFilter].map(micro),
    fastest === undefined ? '-' : `${((100 * fastest) / dense).toFixed(0)} %`,
  ];
}

/** Whole runs of compiled networks, from memory of the host and back, beside PyTorch's as one graph. */
export function sessionTable(rows: SessionRow[], peers: PeerRow[]): string {
  const percent = (reduction: number) => `${100 * reduction} %`;
  const header = [
    ...['compiled network', 'batch', 'products', 'dense us', 'spread', 'on the device us'],
    ...reductions.map((reduction) => `${percent(reduction)}: times dense`),
    ...['torch graph us', 'torch from host us', 'dense: times torch'],
    ...reductions.map((reduction) => `${percent(reduction)}: times torch`),
  ];
  const lines = rows.map(({ name, batch, precision, timings, profiles }) => {
    const peer = find(peers, { name, batch, precision });
    const { median, min, max } = timings.dense;
    const dynamic = reductions.map((reduction) => timings[`dynamic ${reduction}`].median);
    const steps = profiles.dense.reduce((sum, { milliseconds }) => sum + milliseconds, 0);
    return [
      ...[name, String(batch), precision, micro(median), `${micro(min)}-${micro(max)}`],
      micro(steps),
      ...dynamic.map((ms) => times(median, ms)),
      ...[peer?.graph, peer?.host].map(micro),
      times(peer?.host, median),
      ...dynamic.map((ms) => times(peer?.host, ms)),
    ];
  });
  return markdownTable(header, lines);
}

/** Of each network and batch: PyTorch's milliseconds, and how many times as fast the sessions are, in each precision. */
export function summaryTable(rows: SessionRow[], peers: PeerRow[]): string {
  const precisions = [...new Set(rows.map(({ precision }) => precision))];
  const header = [
    ...['network', 'batch'],
    ...precisions.flatMap((precision) => [
      `PyTorch, ${precision.toUpperCase()}`,
      ...['dense', ...shown.map((reduction) => `${100 * reduction} % skipped`)],
    ]),
  ];
  const cases = rows.filter(({ precision }) => precision === precisions[0]);
  const lines = cases.map(({ name, batch }) => [
    ...[name, String(batch)],
    ...precisions.flatMap((wanted) => {
      const own = { name, batch, precision: wanted };
      const timings = find(rows, own)?.timings;
      const host = find(peers, own)?.host;
      const keys = ['dense', ...shown.map((reduction) => `dynamic ${reduction}`)];
      return [
        host == null ? '-' : `${host.toPrecision(3)} ms`,
        ...keys.map((key) => times(host, timings?.[key].median)),
      ];
    }),
  ]);
  return markdownTable(header, lines);
}

interface Case {
  name: string;
  batch: number;
  precision: Precision;
}

function find<T extends Case>(rows: T[], { name, batch, precision }: Case): T | undefined {
  return rows.find(
    (row) => row.name === name && row.batch === batch && row.precision === precision,
  );
}

function times(slow: number | null | undefined, fast: number | undefined): string {
  return slow == null || fast === undefined ? '-' : `${(slow / fast).toFixed(2)}x`;
}

/** Milliseconds as microseconds with three digits or more. */
function micro(ms: number | null | undefined): string {
  if (ms == null) return '-';
  const us = 1000 * ms;
  return us < 100 ? us.toPrecision(3) : us.toFixed(0);
}
