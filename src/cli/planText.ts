/** A compiled network for the terminal. */
import { percent, short } from '../report/format.js';
import type { CompileReport, LayerReport } from './commands/compile.js';
import { deviceText, imagesText, milliseconds, perSecond } from './speedText.js';
import { pairs, table } from './table.js';

export function planText(report: CompileReport): string {
  const { layers, check, images, batch, memoryBytes, imagesPerSecond } = report;
  const macs = (of: 'denseMacs' | 'activeMacs') =>
    layers.reduce((sum, layer) => sum + layer[of], 0);
  const time = layers.reduce((sum, layer) => sum + layer.milliseconds, 0);
  const rows = layers.map((layer) => [
    layer.name,
    layer.kind,
    layer.outputShape.join('x'),
    kernelOf(layer),
    milliseconds(layer.milliseconds),
    short(layer.denseMacs),
    layer.denseMacs === 0 ? '-' : short(layer.activeMacs),
  ]);
  rows.push([
    'total',
    '',
    '',
    '',
    milliseconds(time),
    short(macs('denseMacs')),
    short(macs('activeMacs')),
  ]);
  const { median, p10, p90 } = report.milliseconds;
  const share = percent(macs('activeMacs') / macs('denseMacs'), 1);
  const facts: [string, string][] = [
    ['batch', imagesText(batch, images)],
    [
      'time',
      `${milliseconds(median)} ms (${milliseconds(p10)} to ${milliseconds(p90)}), ${perSecond(imagesPerSecond)} images/s`,
    ],
    ['memory', `${(memoryBytes / 2 ** 20).toFixed(1)} MiB`],
    ['check', `${imagesText(check.images, images)}, as model.predict: ${agreementText(report)}`],
  ];
  if (isDynamic(report))
    facts.splice(2, 0, ['MACs', `${share} of the dense ones, predictors included`]);
  if (report.onnx !== null) facts.push(['ONNX file', report.onnx]);
  return [
    `${report.name}, images ${report.inputShape.join('x')}; ${deviceText(report)}`,
    table(header, rows, { left: 2 }),
    pairs(facts),
  ].join('\n\n');
}

const header = ['layer', 'kind', 'output', 'kernel', 'ms', 'dense MACs', 'active MACs'];

function isDynamic({ layers }: CompileReport): boolean {
  return layers.some(({ dynamic }) => dynamic);
}

function agreementText(report: CompileReport): string {
  const { error, turnedMasks } = report.check;
  const logits = `logits within ${error.toExponential(0)} of the largest`;
  if (!isDynamic(report)) return logits;
  return turnedMasks === 0
    ? `${logits}, masks the same`
    : `${logits} for the same masks, of which rounding turned ${turnedMasks} entries`;
}

/** A predictor and an activation of their own are named as well. */
function kernelOf({ steps }: LayerReport): string {
  return steps.map(({ variant }) => variant).join(' + ');
}
