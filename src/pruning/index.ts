export { countMacs, type LayerKind, type LayerMacs, type MacsCount } from './macs.js';
