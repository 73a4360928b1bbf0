/** `ftwt demo`: a dense baseline, the dynamic network made from it, and a report that compares them. */
import { join } from 'node:path';
import { readFile } from 'node:fs/promises';
import { FtwtError } from '../../errors.js';
import { percent, points, duration } from '../../report/format.js';
import { writeReport, type RunReport } from '../../report/index.js';
import { buildReport } from '../demo/buildReport.js';
import { Clock } from '../demo/clock.js';
import { runPhases, type DemoRun } from '../demo/phases.js';
import { RunFolder } from '../demo/runFolder.js';
import { demoSettings, resumedSettings, type DemoOptions } from '../demo/settings.js';
import { interruptible, resumeCommand } from '../interrupt.js';
import { loadData } from '../loadData.js';
import { setUpDevice } from '../setUp.js';
import { perSecond } from '../speedText.js';
import { pairs } from '../table.js';

export async function demo(options: DemoOptions): Promise<void> {
  const fresh = demoSettings(options);
  await setUpDevice(options);
  const folder = await RunFolder.open(join(options.out, options.name), options);
  if (options.resume && folder.finished) {
    console.log(`${folder.path} is finished already.`);
    await printSummary(folder);
    return;
  }
  if (!options.resume) checkReplaceable(folder, options.force);
  const stopped = options.resume ? folder.state : undefined;
  const settings = stopped === undefined ? fresh : resumedSettings(stopped.settings, options);
  const seconds = stopped?.seconds ?? {};
  const clock = new Clock({ ...seconds });
  clock.begin('data');
  const data = { data: settings.data, limit: settings.limit ?? undefined };
  const dataset = await loadData(data, options.quiet);
  // Only now: without data, an earlier run stays, and none begins.
  if (!options.resume) await folder.clear();
  folder.save({ ...folder.state, settings, seconds });
  await interruptible(
    async (signal) => {
      const run: DemoRun = {
        settings,
        folder,
        dataset,
        clock,
        signal,
        speed: {
          device: options.device,
          precision: options.precision,
          seconds: options.speedSeconds,
        },
        quiet: options.quiet ?? false,
      };
      const results = await runPhases(run);
      await writeReport(folder.path, await buildReport(options.name, run, results));
      await folder.finish();
    },
    () => {
      folder.save({ ...folder.state!, seconds: clock.seconds() });
      return `Stopped; what is done is kept in ${folder.path}. To go on:\n  ${resumeCommand()}`;
    },
  );
  await printSummary(folder);
}

/** A finished run of the same name is replaced; an unfinished one only by force. */
function checkReplaceable(folder: RunFolder, force = false): void {
  if (folder.state !== undefined && !folder.finished && !force) {
    throw new FtwtError(
      'INVALID_ARGUMENT',
      `${folder.path} holds an unfinished run: --resume goes on with it, --force starts over`,
    );
  }
}

async function printSummary(folder: RunFolder): Promise<void> {
  const report = JSON.parse(await readFile(folder.reportFile, 'utf8')) as RunReport;
  const { dense, dynamic, estimated, seconds } = report;
  const { published, skippable } = dynamic.macsReduction;
  console.log(
    pairs([
      ['dense accuracy', percent(dense.accuracy)],
      [
        'dynamic accuracy',
        `${percent(dynamic.accuracy)} (${points(dynamic.accuracy - dense.accuracy)} points), mass ${dynamic.mass}`,
      ],
      [
        'FLOPs reduction, skippable',
        `${percent(skippable)} (estimated ${percent(estimated.macsReduction.skippable)})`,
      ],
      [
        'FLOPs reduction, published',
        `${percent(published)} (estimated ${percent(estimated.macsReduction.published)})`,
      ],
      ...speedLines(report.speed),
      ['time', duration(seconds.total)],
      ['report', join(folder.path, 'report.html')],
    ]),
  );
}

/** Of the larger batch. */
function speedLines(speed: RunReport['speed']): [string, string][] {
  const batch = Math.max(0, ...(speed?.rows ?? []).map((row) => row.batch));
  const rows = (speed?.rows ?? []).filter((row) => row.batch === batch);
  if (rows.length === 0) return [];
  const texts = rows.map(({ contender, imagesPerSecond: { median } }) => {
    return `${contender} ${perSecond(median)}`;
  });
  return [[`images/s, batch ${batch}`, texts.join(', ')]];
}
