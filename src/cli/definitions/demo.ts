import { Option, type Command } from 'commander';
import { demoRecipe } from '../demoRecipe.js';
import {
  addDataOptions,
  addDeviceOptions,
  folderName,
  nonNegativeNumber,
  properShare,
  setting,
  share,
  wholeNumber,
} from '../options.js';

export function addDemo(program: Command): void {
  const command = program
    .command('demo')
    .description(
      'train a dense network on Fashion-MNIST, make a dynamic one from it, and compare both in a report',
    )
    .option('--name <name>', 'name of the run', folderName, 'demo')
    .option('--out <folder>', 'folder of all runs', 'runs');
  addDataOptions(command, { mandatory: false });
  command
    .option('--epochs <count>', 'epochs of the dense network', setting('epochs'))
    .option('--dynamic-epochs <count>', 'epochs of the dynamic network', setting('epochs'))
    .option('--mass <share>', 'share of the saliency to keep, instead of --reduction', share)
    .option('--reduction <share>', 'skippable FLOPs reduction to choose the mass for', properShare)
    .addOption(
      new Option('--mode <mode>', 'whether the mask loss stops at the predictors').choices([
        'decoupled',
        'joint',
      ]),
    )
    .option('--batch-size <count>', 'images in a training step', setting('batchSize'))
    .option('--lr <rate>', 'highest learning rate of the dense network', setting('learningRate'))
    .option(
      '--dynamic-lr <rate>',
      'highest learning rate of the dynamic network',
      setting('learningRate'),
    )
    .option(
      '--predictor-lr <rate>',
      'learning rate of the mask predictors',
      setting('predictorLearningRate'),
    )
    .option('--seed <number>', 'of weights, order and augmentation', wholeNumber)
    .option(
      '--speed-seconds <time>',
      'how long each network is timed for each batch size; 0: not at all',
      nonNegativeNumber,
      demoRecipe.speed.seconds,
    )
    .option('--resume', 'go on with a stopped run; its settings come from its folder')
    .option('--force', 'start over where an unfinished run is in the way')
    .option('--quiet', 'no progress');
  addDeviceOptions(command)
    .addHelpText(
      'after',
      `
Leaves report.html, report.json and both models (dense/, dynamic/) in <out>/<name>. A finished run of that
name is replaced. What is not given comes from the recipe for Fashion-MNIST.

Examples:
  $ ftwt demo
  $ ftwt demo --name sixty --reduction 0.6
  $ ftwt demo --name sixty --resume
  $ ftwt demo --name quick --data synthetic --limit 256 --epochs 1 --dynamic-epochs 1`,
    )
    .action(async (options) => (await import('../commands/demo.js')).demo(options));
}
