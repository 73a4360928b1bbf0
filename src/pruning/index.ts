export { countMacs, type LayerKind, type LayerMacs, type MacsCount } from './macs.js';
export { makeDynamic, type MakeDynamicOptions } from './makeDynamic.js';
export type { MacsPair } from './accounting.js';
export type { LayerActivity, MacsSummary, SampleMacs } from './tally.js';
export {
  MacsMeter,
  measureMacs,
  type MacsMeasurement,
  type MeasureMacsOptions,
} from './measureMacs.js';
export {
  estimateMacs,
  massForBudget,
  type EstimateMacsOptions,
  type MacsEstimate,
  type MassForBudget,
  type MassForBudgetOptions,
} from './estimateMacs.js';
