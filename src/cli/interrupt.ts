/** Ctrl-C and SIGTERM: the first asks for an orderly stop, the second quits at once. */
import { exitCodes, Interrupted } from './exitCodes.js';

const signals = ['SIGINT', 'SIGTERM'] as const;

/** npm passes on a Ctrl-C that its child has had from the terminal already: so soon, it is the same one. */
const sameSignalMilliseconds = 500;

/**
 * Runs `work`, which stops in good order when its signal is aborted.
 * @param advice what to print when it was stopped: how to go on
 * @throws Interrupted if the signal came before `work` was done
 */
export async function interruptible<T>(
  work: (signal: AbortSignal) => Promise<T>,
  advice: () => string,
): Promise<T> {
  const controller = new AbortController();
  let first = 0;
  const stop = () => {
    if (controller.signal.aborted) {
      if (performance.now() - first < sameSignalMilliseconds) return;
      process.exit(exitCodes.interrupted);
    }
    first = performance.now();
    console.error('\nStopping after this step; Ctrl-C again quits at once.');
    controller.abort();
  };
  signals.forEach((signal) => process.on(signal, stop));
  try {
    return await work(controller.signal);
  } catch (error) {
    if (controller.signal.aborted) throw new Interrupted(advice(), { cause: error });
    throw error;
  } finally {
    signals.forEach((signal) => process.off(signal, stop));
  }
}

/** The command line that goes on with a stopped run. */
export function resumeCommand(): string {
  const args = process.argv.slice(2).filter((argument) => argument !== '--resume');
  const start = process.env.npm_lifecycle_event === 'start' && args[0] === 'demo';
  const words = start ? ['npm', 'start', '--', ...args.slice(1)] : ['ftwt', ...args];
  return [...words, '--resume'].map(quoted).join(' ');
}

function quoted(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}
