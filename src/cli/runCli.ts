/** Runs one command line in this process. */
import { exitCodes, explain } from './exitCodes.js';
import { createProgram } from './program.js';

/**
 * @param args without `node` and the script
 * @returns the exit code: 0 done, 1 failed, 2 wrong usage, 130 stopped by Ctrl-C
 */
export async function runCli(args: string[]): Promise<number> {
  try {
    await createProgram().parseAsync(args, { from: 'user' });
    return exitCodes.ok;
  } catch (error) {
    return explain(error);
  }
}
