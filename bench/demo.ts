/** Takes the headline figures of a finished `npm start` (default runs/demo) into bench/results, for the README's table. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { markdownTable, projectRoot, saveResults } from './harness.js';

interface Reductions {
  published: number;
  skippable: number;
}

interface Report {
  dense: { accuracy: number; macs: number };
  dynamic: { accuracy: number; mass: number; macsReduction: Reductions };
  estimated: { macsReduction: Reductions };
  seconds: { total: number };
  commit: string | null;
}

const percent = (share: number): string => `${(100 * share).toFixed(1)} %`;

export async function run([
  path = join(projectRoot, 'runs', 'demo', 'report.json'),
]: string[]): Promise<void> {
  const report = JSON.parse(readFileSync(path, 'utf8')) as Report;
  const { dense, dynamic, estimated, seconds } = report;
  const measured = report.commit === null ? {} : { commit: report.commit.slice(0, 7) };
  const table = markdownTable(
    [
      'Fashion-MNIST, `npm start`',
      'accuracy',
      'FLOPs reduction',
      'skippable',
      'predicted before training',
    ],
    [
      ['dense', percent(dense.accuracy), '-', '-', '-'],
      [
        `dynamic, mass ${dynamic.mass}`,
        percent(dynamic.accuracy),
        percent(dynamic.macsReduction.published),
        percent(dynamic.macsReduction.skippable),
        percent(estimated.macsReduction.skippable),
      ],
    ],
  );
  const headline = {
    dense: { accuracy: dense.accuracy, macs: dense.macs },
    dynamic: {
      accuracy: dynamic.accuracy,
      mass: dynamic.mass,
      macsReduction: dynamic.macsReduction,
    },
    estimated: { macsReduction: estimated.macsReduction },
    seconds: { total: seconds.total },
  };
  const saved = saveResults('demo', { ...headline, table }, measured);
  console.log(`${table}\n\nwritten to ${saved}`);
}
