/** `ftwt estimate`: what a dynamic version of a dense model would save, before any dynamic training. */
import { percent } from '../../report/format.js';
import { loadModel } from '../../train/index.js';
import { activityTable } from '../activityTable.js';
import { calibrate, type CalibrationGoal } from '../calibration.js';
import { UsageError } from '../exitCodes.js';
import { loadData } from '../loadData.js';
import type { DataOptions, DeviceOptions } from '../options.js';
import { setUpDevice } from '../setUp.js';
import { pairs } from '../table.js';

export interface EstimateOptions extends DeviceOptions, DataOptions, TargetOptions {
  images: number;
  json?: boolean;
}

/** The three ways to say how much to prune. */
export interface TargetOptions {
  mass?: number;
  keepRatio?: number;
  reduction?: number;
  metric: 'skippable' | 'published';
}

/**
 * @returns undefined if none was given
 * @throws UsageError if several were
 */
export function goalOf(options: TargetOptions): CalibrationGoal | undefined {
  const { mass, keepRatio, reduction, metric } = options;
  const given = [mass, keepRatio, reduction].filter((value) => value !== undefined);
  if (given.length > 1) throw new UsageError('give only one of --mass, --keep-ratio, --reduction');
  if (reduction !== undefined) return { reduction, metric };
  if (keepRatio !== undefined) return { keepRatio };
  return mass === undefined ? undefined : { mass };
}

export async function estimate(folder: string, options: EstimateOptions): Promise<void> {
  const goal = goalOf(options);
  if (goal === undefined) throw new UsageError('give one of --mass, --keep-ratio, --reduction');
  await setUpDevice(options);
  const model = await loadModel(folder);
  const dataset = await loadData(options, options.json);
  const result = calibrate(model, dataset.train, options.images, goal);
  if (options.json) {
    console.log(JSON.stringify(result, null, 2));
    return;
  }
  const { published, skippable } = result.macsReduction;
  console.log(
    pairs([
      ['images', String(result.samples)],
      result.mass === undefined
        ? ['keep ratio', String(result.keepRatio)]
        : ['mass', String(result.mass)],
      ['FLOPs reduction, skippable', percent(skippable)],
      ['FLOPs reduction, published', percent(published)],
    ]),
  );
  console.log(`\n${activityTable(result)}`);
}
