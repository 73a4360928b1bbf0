export { countMacs, type LayerKind, type LayerMacs, type MacsCount } from './macs.js';
export { makeDynamic, type MakeDynamicOptions } from './makeDynamic.js';
