export { compile, type CompileOptions } from './compile.js';
export {
  Session,
  type DynamicSessionLayer,
  type LayerProfile,
  type RunOptions,
  type SessionLayer,
} from './session.js';
export type { RunMacs, RunResult } from './runResult.js';
