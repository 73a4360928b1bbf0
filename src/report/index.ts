/** `report.json` and `report.html` of a run. */
import { join } from 'node:path';
import { writeFileAtomically } from '../train/atomicFile.js';
import { firingPng } from './firingMap.js';
import { escapeHtml } from './format.js';
import * as sections from './sections.js';
import { speedSection } from './speed.js';
import { styleSheet } from './theme.js';
import type { RunReport } from './types.js';

export type {
  EpochReport,
  FiringReport,
  LayerReport,
  MachineReport,
  MacsReduction,
  RunReport,
  SampleReport,
  SpeedReport,
} from './types.js';

/** The whole page: no script, and nothing loaded from elsewhere. */
export async function renderReport(report: RunReport): Promise<string> {
  const drawable = report.firing.filter(({ rates }) => (rates[0]?.length ?? 0) > 0);
  const shown: RunReport = { ...report, firing: drawable };
  const maps = await Promise.all(drawable.map(({ rates }) => firingPng(rates)));
  const title = escapeHtml(`${report.name}: ${report.model} on ${report.data.name}`);
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${title}</title>
<style>${styleSheet}</style>
</head>
<body>
<main>
${sections.header(shown)}
${sections.headline(shown)}
${sections.training(shown)}
${sections.reductions(shown)}
${speedSection(shown)}
${sections.firing(shown, maps)}
${sections.samples(shown)}
${sections.settings(shown)}
${sections.glossary()}
</main>
</body>
</html>
`;
}

/**
 * Writes `<folder>/report.html`, then `<folder>/report.json`, each atomically: where the JSON is, the page is too.
 * @param folder must exist
 */
export async function writeReport(folder: string, report: RunReport): Promise<void> {
  await writeFileAtomically(join(folder, 'report.html'), await renderReport(report));
  await writeFileAtomically(join(folder, 'report.json'), `${JSON.stringify(report, null, 2)}\n`);
}
