/** The commands that compile a saved model. */
import { Option, type Command } from 'commander';
import {
  addDataOptions,
  addSessionOptions,
  positiveInteger,
  positiveIntegers,
  positiveNumber,
} from '../options.js';

export function addSessions(program: Command): void {
  addCompile(program);
  addBench(program);
  addPredict(program);
}

const jsonFile = [
  '--json <file>',
  'also write the results as JSON; - prints them instead',
] as const;

function addCompile(program: Command): void {
  const command = program
    .command('compile')
    .description('compile a saved model, check it against model.predict, and show its plan')
    .argument('<model>', 'folder of a saved model')
    .option('--batch <count>', 'images in a batch', positiveInteger, 32)
    .option('--onnx <file>', 'also write the network as an ONNX file')
    .option(...jsonFile);
  addDataOptions(command, { mandatory: false });
  addSessionOptions(command)
    .addHelpText(
      'after',
      `
Without --data, the images are random; a dynamic network then computes other channels than for real ones.

Examples:
  $ ftwt compile runs/demo/dynamic --data fashion-mnist
  $ ftwt compile runs/demo/dense --batch 1 --threads 1
  $ ftwt compile runs/demo/dense --onnx dense.onnx --json plan.json`,
    )
    .action(async (model, options) =>
      (await import('../commands/compile.js')).compileCommand(model, options),
    );
}

function addBench(program: Command): void {
  const command = program
    .command('bench')
    .description('images per second of a saved model: sessions, model.predict, onnxruntime-node')
    .argument('<model>', 'folder of a saved model')
    .option(
      '--dense <folder>',
      'dense network that a dynamic one is compared with (default: dense, beside it)',
    )
    .addOption(
      new Option('--batch <counts>', 'batch sizes')
        .argParser(positiveIntegers)
        .default([1, 8, 32], '1,8,32'),
    )
    .option('--seconds <time>', 'of each contender, for each batch size', positiveNumber, 2)
    .option(...jsonFile);
  addDataOptions(command, { mandatory: false });
  addSessionOptions(command)
    .addHelpText(
      'after',
      `
Contenders take turns, and only those are timed whose results are those of model.predict. model.predict runs on
the native backend. onnxruntime-node is not part of this package: it is found in the current folder.
Without --data, the images are random; a dynamic network then computes other channels than for real ones.

Examples:
  $ ftwt bench runs/demo/dynamic --data fashion-mnist
  $ ftwt bench runs/resnet20-dynamic --dense runs/resnet20 --data cifar10:DIR
  $ ftwt bench runs/demo/dense --batch 1 --threads 1 --json speed.json`,
    )
    .action(async (model, options) => (await import('../commands/bench.js')).bench(model, options));
}

function addPredict(program: Command): void {
  const command = program
    .command('predict')
    .description('classes of image files, and what each image costs')
    .argument('<model>', 'folder of a saved model')
    .argument('<images...>', 'JPEG or PNG files')
    .option('--top <count>', 'classes to show', positiveInteger, 3)
    .addOption(
      new Option('--fit <how>', 'cover: cut what sticks out of the aspect ratio; fill: change it')
        .choices(['cover', 'fill'])
        .default('cover'),
    )
    .option('--batch <count>', 'images at once', positiveInteger, 32)
    .option('--json', 'print JSON');
  addSessionOptions(command)
    .addHelpText(
      'after',
      `
Images are brought to the size, channels and normalisation that the model was trained with. A file that cannot be
read is named at the end, and the exit code is 1; the others are classified all the same.

Examples:
  $ ftwt predict runs/demo/dynamic boot.png
  $ ftwt predict runs/demo/dynamic photos/*.jpg --top 1 --json`,
    )
    .action(async (model, images, options) =>
      (await import('../commands/predict.js')).predictCommand(model, images, options),
    );
}
