/** Where a user of the command may have onnxruntime-node. */
import { join } from 'node:path';
import { FtwtError } from '../errors.js';
import { loadOnnxRuntime, type OnnxRuntime } from '../timing/onnxruntime.js';
import { packageRoot } from './package.js';

/** The user's project, this package, and what `npm run bench:peers` installs in a clone. */
const folders = () => [process.cwd(), packageRoot, join(packageRoot, 'bench', 'peers')];

/** @returns ONNX Runtime, or why there is none */
export function findOnnxRuntime(): OnnxRuntime | string {
  try {
    return loadOnnxRuntime(folders());
  } catch (error) {
    if (error instanceof FtwtError && error.code === 'NOT_FOUND') return error.message;
    throw error;
  }
}
