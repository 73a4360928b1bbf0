/** What `npm run bench -- models` and `-- ops` share: cases one after the other, tables, results. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { relative } from 'node:path';
import {
  environment,
  projectRoot,
  resultsPath,
  saveResults,
  type Environment,
} from '../harness.js';
import { peerVersion } from '../peers/load.js';
import { settingsOf, usage } from './options.js';
import { plotSpeedUps } from './plot.js';
import { timeCase, type Row } from './rounds.js';
import { modelsTable, ms, speedUp, type PeerVersions } from './table.js';
import type { ContenderName } from './spec.js';

/** Those that the README compares. */
const headline: ContenderName[] = ['ort', 'wasm', 'dense', 'dynamic50', 'dynamic70'];

/** @param networks the names of those that there are */
export async function runBenchmark(
  benchmark: string,
  networks: string[],
  args: string[],
): Promise<void> {
  if (args.includes('--help')) return console.log(usage);
  const versions = peerVersions();
  const { cases: wanted, pace, save } = settingsOf(args, networks);
  const cases = wanted.map((each) => ({ ...each, contenders: each.contenders.filter(isThere) }));
  const missing = wanted.flatMap((each) => each.contenders).find((name) => !isThere(name));
  if (missing !== undefined) console.error(`${missing} is not timed: npm run bench:peers`);
  const fail = (message: string) => {
    console.error(`  ${message}`);
    process.exitCode = 1;
  };
  const before = save ? savedRows(benchmark) : [];
  const rows: Row[] = [];
  for (const [i, each] of cases.entries()) {
    const { network, batch, threads } = each;
    console.error(`${network}, batch ${batch}, ${threads} threads (${i + 1} of ${cases.length})`);
    const timed = await timeCase(each, pace, fail);
    timed.forEach((row) => console.error(`  ${line(timed, row)}`));
    rows.push(...timed);
    if (save) write(benchmark, merged(before, rows), versions);
  }
  const contenders = [...new Set(cases.flatMap((each) => each.contenders))];
  for (const threads of new Set(cases.map((each) => each.threads))) {
    const some = rows.filter((row) => row.threads === threads);
    console.log(`\n${threads} threads, ms a batch\n${modelsTable(some, contenders, versions)}`);
  }
  if (save) console.log(`\nwritten to ${relative('', resultsPath(benchmark))}`);
}

const packages = new Map<ContenderName, string>([
  ['ort', 'onnxruntime-node'],
  ['wasm', '@tensorflow/tfjs-backend-wasm'],
]);

function isThere(contender: ContenderName): boolean {
  const name = packages.get(contender);
  return name === undefined || peerVersion(name) !== undefined;
}

/** Of the peers that are installed, by contender. */
function peerVersions(): PeerVersions {
  const versions = [...packages].map(([contender, name]) => [contender, peerVersion(name)]);
  return Object.fromEntries(versions.filter(([, version]) => version !== undefined));
}

function line(rows: Row[], row: Row): string {
  const { contender, median, p10, p90, runs, error, reduction } = row;
  const ratio = speedUp(rows, row);
  return [
    contender.padEnd(10),
    `${ms(median).padStart(6)} ms (${ms(p10)} to ${ms(p90)}, ${runs} runs)`,
    ...(ratio === undefined ? [] : [`${ratio.toFixed(2)}x`]),
    ...(reduction === undefined ? [] : [`${(100 * reduction).toFixed(1)} % of MACs skipped`]),
    `error ${error.toExponential(0)}`,
  ].join('  ');
}

interface Saved {
  environment: Environment;
  rows: Row[];
}

/** Of an earlier run of the same commit on the same kind of machine: this one may be a part of it. */
function savedRows(benchmark: string): Row[] {
  const path = resultsPath(benchmark);
  if (!existsSync(path)) return [];
  const { environment: then, rows } = JSON.parse(readFileSync(path, 'utf8')) as Saved;
  const now = environment();
  const same = then.commit === now.commit && then.cpu === now.cpu;
  if (!same) console.error(`${relative('', path)} is of another commit or machine: replaced`);
  return same ? rows : [];
}

/** By network, threads and batch, whatever part was timed first. */
function merged(before: Row[], rows: Row[]): Row[] {
  const key = ({ network, batch, threads, contender }: Row) =>
    [network, batch, threads, contender].join();
  const all = [...new Map([...before, ...rows].map((row) => [key(row), row])).values()];
  const networks = [...new Set(all.map(({ network }) => network))];
  const place = ({ network }: Row) => networks.indexOf(network);
  return all.sort(
    (a, b) => place(a) - place(b) || b.threads - a.threads || a.batch - b.batch, // contenders stay in their order
  );
}

/** The JSON, with the README's table, and the plot beside it. */
function write(benchmark: string, rows: Row[], versions: PeerVersions): void {
  const most = Math.max(...rows.map(({ threads }) => threads));
  const shown = rows.filter(({ threads }) => threads === most);
  const others = rows.filter(({ threads }) => threads < most);
  const svg = plotSpeedUps(shown);
  const path = resultsPath(benchmark);
  const figure = path.replace(/\.json$/, '.svg');
  if (svg !== undefined) writeFileSync(figure, svg);
  saveResults(benchmark, {
    versions,
    ...(svg === undefined ? {} : { figure: relative(projectRoot, figure) }),
    table: modelsTable(shown, headline, versions, others),
    rows,
  });
}
