/** The commands that look at a saved model, and at the machine. */
import { Option, type Command } from 'commander';
import { addDataOptions, addDeviceOptions, addTargetOptions, positiveInteger } from '../options.js';

export function addInspection(program: Command): void {
  addEstimate(program);
  addEvaluate(program);
  addInfo(program);
  addDevices(program);
}

function addEstimate(program: Command): void {
  const command = program
    .command('estimate')
    .description('what a dynamic version of a dense model would save, before training it')
    .argument('<model>', 'folder of a saved dense model');
  addDataOptions(command, { mandatory: true });
  addTargetOptions(command)
    .option('--images <count>', 'training images to look at', positiveInteger, 512)
    .option('--json', 'print JSON');
  addDeviceOptions(command)
    .addHelpText(
      'after',
      `
Examples:
  $ ftwt estimate runs/demo/dense --data fashion-mnist --mass 0.85
  $ ftwt estimate runs/demo/dense --data fashion-mnist --reduction 0.6
  $ ftwt estimate runs/demo/dense --data fashion-mnist --reduction 0.6 --metric published --json`,
    )
    .action(async (model, options) =>
      (await import('../commands/estimate.js')).estimate(model, options),
    );
}

function addEvaluate(program: Command): void {
  const command = program
    .command('evaluate')
    .description('accuracy of a saved model; of a dynamic one also what it saves, by layer')
    .argument('<model>', 'folder of a saved model');
  addDataOptions(command, { mandatory: true });
  command
    .addOption(
      new Option('--split <name>', 'which images').choices(['test', 'train']).default('test'),
    )
    .option('--json', 'print JSON');
  addDeviceOptions(command)
    .addHelpText(
      'after',
      `
Examples:
  $ ftwt evaluate runs/demo/dynamic --data fashion-mnist
  $ ftwt evaluate runs/demo/dense --data fashion-mnist --json`,
    )
    .action(async (model, options) =>
      (await import('../commands/evaluate.js')).evaluateCommand(model, options),
    );
}

function addInfo(program: Command): void {
  const command = program
    .command('info')
    .description('what the package runs on; with a model: its layers, MACs and parameters')
    .argument('[model]', 'folder of a saved model')
    .option('--json', 'print JSON');
  addDeviceOptions(command)
    .addHelpText(
      'after',
      `
Examples:
  $ ftwt info
  $ ftwt info runs/demo/dynamic
  $ ftwt info runs/demo/dense --json`,
    )
    .action(async (model, options) => (await import('../commands/info.js')).info(model, options));
}

function addDevices(program: Command): void {
  program
    .command('devices')
    .description('the GPUs that --device can name, or why there is none')
    .option('--json', 'print JSON')
    .action(async (options) => (await import('../commands/devices.js')).devices(options));
}
