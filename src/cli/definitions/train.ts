import { Option, type Command } from 'commander';
import {
  addDataOptions,
  addDeviceOptions,
  addTargetOptions,
  ascendingNumbers,
  modelNames,
  nonNegativeNumber,
  setting,
  wholeNumber,
} from '../options.js';

export function addTrain(program: Command): void {
  const command = program
    .command('train')
    .description('train a dense network, or a dynamic one from a dense baseline')
    .addOption(new Option('--model <name>', 'a new network').choices(modelNames))
    .option('--from <folder>', 'start from a saved model instead')
    .requiredOption('--out <folder>', 'where the trained model goes');
  addDataOptions(command, { mandatory: true });
  addTargetOptions(command)
    .addOption(
      new Option('--mode <mode>', 'whether the mask loss stops at the predictors')
        .choices(['decoupled', 'joint'])
        .default('decoupled'),
    )
    .addOption(
      new Option('--pooling <kind>', 'what the predictors see of a channel')
        .choices(['max', 'average'])
        .default('max'),
    )
    .option('--no-softmax', 'predictors without softmax over the pooled channels')
    .option('--epochs <count>', 'passes over the training images', setting('epochs'), 200)
    .option('--batch-size <count>', 'images in a training step', setting('batchSize'), 128)
    .option(
      '--lr <rate>',
      'learning rate (default: 0.1, with --from 0.01)',
      setting('learningRate'),
    )
    .addOption(
      new Option('--schedule <name>', 'how the learning rate falls')
        .choices(['step', 'cosine', 'one-cycle', 'constant'])
        .default('cosine'),
    )
    .option('--milestones <epochs>', 'for step: x0.1 from each of these on', ascendingNumbers)
    .option('--warmup <epochs>', 'for cosine: linear rise', nonNegativeNumber, 0)
    .option(
      '--predictor-lr <rate>',
      'learning rate of the predictors',
      setting('predictorLearningRate'),
      0.1,
    )
    .option(
      '--cooldown <share>',
      'predictors are frozen after this share',
      setting('cooldown'),
      0.5,
    )
    .option('--momentum <number>', 'of SGD', setting('momentum'), 0.9)
    .option('--nesterov', 'Nesterov momentum')
    .option('--weight-decay <number>', 'L2, not of predictors', setting('weightDecay'), 5e-4)
    .option('--label-smoothing <share>', 'of the cross entropy', setting('labelSmoothing'), 0)
    .option('--pad-crop <pixels>', 'augmentation: pad and crop at random', wholeNumber, 0)
    .option('--flip', 'augmentation: mirror at random')
    .option('--seed <number>', 'of weights, order and augmentation', wholeNumber, 0)
    .option('--evaluate-every <epochs>', '0: only after the last', setting('evaluateEvery'), 1)
    .option('--resume', 'go on with a stopped run (give the same options)')
    .option('--force', 'start over where another run is in the way')
    .option('--quiet', 'no progress');
  addDeviceOptions(command)
    .addHelpText(
      'after',
      `
Leaves model.json, weights.bin and history.json in <out>; while it runs, checkpoints as well.

Examples:
  $ ftwt train --model resnet20 --data cifar10:cifar-10-batches-bin --out runs/resnet20 \\
      --schedule step --milestones 81,122,151 --pad-crop 4 --flip
  $ ftwt train --from runs/resnet20 --mass 0.8 --data cifar10:cifar-10-batches-bin \\
      --out runs/resnet20-dynamic --schedule step --milestones 81,122,151 --pad-crop 4 --flip
  $ ftwt train --model vgg-small --data fashion-mnist --out runs/fashion --epochs 8 --schedule one-cycle`,
    )
    .action(async (options) => (await import('../commands/train.js')).train(options));
}
