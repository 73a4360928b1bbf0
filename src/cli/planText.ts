/** A compiled network for the terminal. */
import { grouped, percent, short } from '../report/format.js';
import type { CompileReport, LayerReport } from './commands/compile.js';
import { deviceText, imagesText, milliseconds } from './speedText.js';
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
  rows.push(['total', '', '', '', milliseconds(time), short(macs('denseMacs')), short(macs('activeMacs'))]);
  const whole = report.milliseconds;
  const checked: [string, string][] = [
    [
      'check',
      `as model.predict on ${check.images} ${imagesText(images)}: largest difference of a logit ${check.error.toExponential(0)} of the largest logit`,
    ],
  ];
  if (check.turnedMasks > 0) {
    checked.push(['', `(rounding turned ${check.turnedMasks} entries of masks)`]);
  }
  return [
    `${report.name}, images ${report.inputShape.join('x')}, on ${deviceText(report)}`,
    '',
    table(
      ['layer', 'kind', 'output', 'kernel', 'ms', 'dense MACs', 'active MACs'],
      rows,
      { left: 2 },
    ),
    '',
    pairs([
      ['batch', `${batch} ${imagesText(images)}`],
      [
        'time',
        `${milliseconds(whole.median)} ms (${milliseconds(whole.p10)} to ${milliseconds(whole.p90)}), ${grouped(imagesPerSecond)} images/s`,
      ],
      ['MACs', `${percent(macs('activeMacs') / macs('denseMacs'), 1)} of the dense ones, predictors included`],
      ['memory', `${(memoryBytes / 2 ** 20).toFixed(1)} MiB`],
      ...checked,
      ...(report.onnx === null ? [] : [['ONNX file', report.onnx] as [string, string]]),
    ]),
  ].join('\n');
}

/** A predictor and an activation of their own are named as well. */
function kernelOf({ steps }: LayerReport): string {
  return steps.map(({ variant }) => variant).join(' + ');
}
