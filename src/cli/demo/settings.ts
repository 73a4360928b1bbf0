/** What a demo run is started with, all defaults in place; a resumed run takes it from the run's folder. */
import type { MakeDynamicOptions } from '../../pruning/index.js';
import { UsageError } from '../exitCodes.js';
import type { DataOptions, DeviceOptions } from '../options.js';
import { demoRecipe } from '../demoRecipe.js';

/** As the command line gives them: what is missing comes from the recipe. */
export interface DemoOptions extends DeviceOptions, Partial<DataOptions> {
  name: string;
  out: string;
  epochs?: number;
  dynamicEpochs?: number;
  mass?: number;
  reduction?: number;
  mode?: MakeDynamicOptions['mode'];
  batchSize?: number;
  lr?: number;
  dynamicLr?: number;
  predictorLr?: number;
  seed?: number;
  speedSeconds: number;
  resume?: boolean;
  force?: boolean;
  quiet?: boolean;
}

export interface DemoSettings {
  data: string;
  limit: number | null;
  epochs: number;
  dynamicEpochs: number;
  batchSize: number;
  learningRate: number;
  dynamicLearningRate: number;
  predictorLearningRate: number;
  mode: 'decoupled' | 'joint';
  /** Given, or null: chosen for `reduction`. */
  mass: number | null;
  reduction: number | null;
  seed: number;
}

/** @throws UsageError */
export function demoSettings(options: DemoOptions): DemoSettings {
  if (options.mass !== undefined && options.reduction !== undefined) {
    throw new UsageError('give either --mass or --reduction, not both');
  }
  const { dense, dynamic } = demoRecipe;
  return {
    data: options.data ?? 'fashion-mnist',
    limit: options.limit ?? null,
    epochs: options.epochs ?? dense.epochs,
    dynamicEpochs: options.dynamicEpochs ?? dynamic.epochs,
    batchSize: options.batchSize ?? demoRecipe.batchSize,
    learningRate: options.lr ?? dense.learningRate,
    dynamicLearningRate: options.dynamicLr ?? dynamic.learningRate,
    predictorLearningRate: options.predictorLr ?? dynamic.predictorLearningRate,
    mode: options.mode ?? demoRecipe.mode,
    mass: options.mass ?? null,
    reduction: options.mass === undefined ? (options.reduction ?? demoRecipe.reduction) : null,
    seed: options.seed ?? demoRecipe.seed,
  };
}

/**
 * The settings of a stopped run, if what the command line says now agrees with them.
 * @throws UsageError naming the first difference
 */
export function resumedSettings(stored: DemoSettings, options: DemoOptions): DemoSettings {
  const now = demoSettings(options);
  const given: [keyof DemoSettings, keyof DemoOptions, string][] = [
    ['data', 'data', '--data'],
    ['limit', 'limit', '--limit'],
    ['epochs', 'epochs', '--epochs'],
    ['dynamicEpochs', 'dynamicEpochs', '--dynamic-epochs'],
    ['batchSize', 'batchSize', '--batch-size'],
    ['learningRate', 'lr', '--lr'],
    ['dynamicLearningRate', 'dynamicLr', '--dynamic-lr'],
    ['predictorLearningRate', 'predictorLr', '--predictor-lr'],
    ['mode', 'mode', '--mode'],
    ['mass', 'mass', '--mass'],
    ['reduction', 'reduction', '--reduction'],
    ['seed', 'seed', '--seed'],
  ];
  for (const [setting, option, flag] of given) {
    if (options[option] !== undefined && now[setting] !== stored[setting]) {
      throw new UsageError(
        `the stopped run has ${flag} ${stored[setting]}, got ${now[setting]}: leave ${flag} out, or start over with --force`,
      );
    }
  }
  return stored;
}
