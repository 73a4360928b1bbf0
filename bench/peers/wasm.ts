/** tfjs's WebAssembly backend, which runs one thread in Node. */
import * as tf from '@tensorflow/tfjs';
import { loadPeer } from './load.js';

/** Makes it tfjs's backend. @throws Error when it is not installed */
export async function useWasm(): Promise<void> {
  loadPeer('@tensorflow/tfjs-backend-wasm');
  if (!(await tf.setBackend('wasm'))) throw new Error('the backend wasm does not start');
}
