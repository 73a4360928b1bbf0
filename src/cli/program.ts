/** The `ftwt` command line. What a command does is loaded when it runs, so that help and usage errors are quick. */
import { Command } from 'commander';
import { addDemo } from './definitions/demo.js';
import { addInspection } from './definitions/inspection.js';
import { addSessions } from './definitions/sessions.js';
import { addTrain } from './definitions/train.js';
import { packageVersion } from './package.js';

export function createProgram(): Command {
  const program = new Command('ftwt')
    .description(
      'Dynamic channel pruning for convolutional networks: for each image, only the channels that matter are computed.',
    )
    .version(packageVersion(), '-V, --version')
    .showHelpAfterError('(--help shows the usage)')
    .addHelpText(
      'after',
      `
Each command has its own --help with examples. Settings from the environment:
  FTWT_DEVICE    what to compute on, as --device
  FTWT_THREADS   threads of the native kernels (default: all cores)
  FTWT_CACHE     where data sets are kept
  FTWT_OFFLINE   1: fetch nothing
  FTWT_DEBUG     1: show where an error comes from`,
    )
    .exitOverride();
  addDemo(program);
  addTrain(program);
  addSessions(program);
  addInspection(program);
  return program;
}
