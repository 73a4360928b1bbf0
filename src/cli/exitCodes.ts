/** How the command ends, and what it says then. */
import { CommanderError } from 'commander';
import { FtwtError } from '../errors.js';

export const exitCodes = { ok: 0, failure: 1, usage: 2, interrupted: 130 } as const;

/** Ctrl-C stopped the work in good order; `message` says what is left and how to go on. */
export class Interrupted extends Error {
  override readonly name = 'Interrupted';
}

/** The arguments contradict one another or the data; printed like commander's own complaints. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

/**
 * Prints why a command failed, and returns its exit code. One line for what the user can mend;
 * the stack only with FTWT_DEBUG=1. An AggregateError's are printed one by one.
 */
export function explain(error: unknown): number {
  if (error instanceof CommanderError) {
    // commander has printed its message; help and version arrive here as well, with code 0.
    return error.exitCode === 0 ? exitCodes.ok : exitCodes.usage;
  }
  if (error instanceof Interrupted) {
    console.error(error.message);
    return exitCodes.interrupted;
  }
  if (error instanceof UsageError) {
    console.error(`error: ${error.message}`);
    return exitCodes.usage;
  }
  if (error instanceof AggregateError) {
    error.errors.forEach(explain);
    return exitCodes.failure;
  }
  if (process.env.FTWT_DEBUG === '1' && error instanceof Error) console.error(error.stack);
  else if (error instanceof FtwtError) console.error(`error: ${error.message} [${error.code}]`);
  else {
    const message = error instanceof Error ? error.message : String(error);
    console.error(`error: ${message} (FTWT_DEBUG=1 shows where)`);
  }
  return exitCodes.failure;
}
