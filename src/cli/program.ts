/** The `ftwt` command line: names, options and help. What a command does is loaded when it runs. */
import { Command } from 'commander';
import { addDeviceOptions } from './options.js';
import { packageVersion } from './package.js';

export function createProgram(): Command {
  const program = new Command('ftwt')
    .description(
      'Dynamic channel pruning for convolutional networks: for each image, only the channels that matter are computed.',
    )
    .version(packageVersion(), '-V, --version')
    .showHelpAfterError('(--help shows the usage)')
    .addHelpText('after', '\nEach command has its own --help with examples.')
    .exitOverride();
  addInfo(program);
  return program;
}

function addInfo(program: Command): void {
  const command = program
    .command('info')
    .description('show what the package runs on; with a model: its layers, MACs and parameters')
    .argument('[model]', 'folder of a saved model')
    .option('--json', 'print JSON', false)
    .addHelpText(
      'after',
      `
Examples:
  $ ftwt info
  $ ftwt info runs/demo/dynamic
  $ ftwt info runs/demo/dense --json`,
    )
    .action(async (model, options) => (await import('./commands/info.js')).info(model, options));
  addDeviceOptions(command);
}
