/** The convolutions of those networks, in chains of one shape: `npm run bench -- ops [--help]`. */
import { convolutions } from './models/convolutions.js';
import { runBenchmark } from './models/run.js';

export async function run(args: string[]): Promise<void> {
  await runBenchmark('ops', Object.keys(convolutions), args);
}
