/** Whole networks, dense and dynamic, beside ONNX Runtime and tfjs wasm: `npm run bench -- models [--help]`. */
import { runBenchmark } from './models/run.js';
import { wholeNetworks } from './models/networks.js';

export async function run(args: string[]): Promise<void> {
  await runBenchmark('models', Object.keys(wholeNetworks), args);
}
