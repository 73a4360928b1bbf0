/** The section of the report on images per second. */
import { escapeHtml, grouped, percent } from './format.js';
import { axisLook, legendLook, renderPlot } from './plot.js';
import { roles } from './theme.js';
import type { RunReport, SpeedReport } from './types.js';

/** Empty where nothing was measured, as in reports of earlier versions. */
export function speedSection({ speed, machine }: RunReport): string {
  if (!speed) return '';
  const { contenders, batches, remark, failures } = speed;
  const lines = batches.flatMap((batch) =>
    contenders.map((contender) => tableRow(speed, contender, batch)),
  );
  const remarks = [
    ...(remark === null ? [] : [remark]),
    ...failures.map(
      ({ contender, batch, reason }) => `${contender}, batch ${batch}, is not timed: ${reason}`,
    ),
  ];
  const on = speed.device === 'native' ? `${machine.threads} threads` : speed.device;
  return `<section><h2>Images per second</h2>
<p class="quiet">Compiled sessions of both networks (${escapeHtml(on)}) and ONNX Runtime on the dense network, on the same test images, by turns.
Before, the logits of each were found to be those of the trained network. Medians; a tenth of the runs was slower than the range, a tenth faster.</p>
<div class="plots" style="align-items:start">
<figure><h3>Median</h3>${speedPlot(speed)}</figure>
<div class="sheet"><table><thead><tr><th>network</th><th>batch</th><th>images/s</th><th>10 % to 90 %</th><th>ms a batch</th><th>MACs</th></tr></thead><tbody>
${lines.join('\n')}
</tbody></table></div>
</div>
${remarks.map((text) => `<p class="quiet" style="margin-top:.6rem">${escapeHtml(text)}</p>`).join('\n')}
</section>`;
}

function rowOf({ rows }: SpeedReport, contender: string, batch: number) {
  return rows.find((row) => row.contender === contender && row.batch === batch);
}

function tableRow(speed: SpeedReport, contender: string, batch: number): string {
  const row = rowOf(speed, contender, batch);
  const cells =
    row === undefined
      ? ['–', '–', '–', '–']
      : [
          rate(row.imagesPerSecond.median),
          `${rate(row.imagesPerSecond.p10)} to ${rate(row.imagesPerSecond.p90)}`,
          row.milliseconds.median.toPrecision(3),
          row.macsShare === undefined ? '–' : percent(row.macsShare, 1),
        ];
  const all = [escapeHtml(contender), String(batch), ...cells];
  return `<tr>${all.map((cell) => `<td>${cell}</td>`).join('')}</tr>`;
}

function rate(imagesPerSecond: number): string {
  return imagesPerSecond >= 100 ? grouped(imagesPerSecond) : imagesPerSecond.toPrecision(3);
}

/** A group of bars for each batch size. */
function speedPlot(speed: SpeedReport): string {
  const { contenders, batches } = speed;
  const shown = contenders.filter((name) => speed.rows.some((row) => row.contender === name));
  const colors: string[] = [roles.dense, roles.dynamic, roles.peer];
  return renderPlot({
    id: 'speed',
    label: 'Images per second by batch size',
    height: 90 + batches.length * (24 * shown.length + 20),
    option: {
      grid: { left: 78, right: 70, top: 62, bottom: 26 },
      legend: { ...legendLook, itemGap: 14 },
      xAxis: {
        ...axisLook,
        type: 'value',
        axisLabel: { ...axisLook.axisLabel, formatter: (value: number) => grouped(value) },
        splitNumber: 4,
      },
      yAxis: {
        ...axisLook,
        type: 'category',
        inverse: true,
        data: batches.map((batch) => `batch ${batch}`),
      },
      series: shown.map((name) => ({
        type: 'bar' as const,
        name,
        data: batches.map((batch) => rowOf(speed, name, batch)?.imagesPerSecond.median ?? '-'),
        color: colors[contenders.indexOf(name)] ?? roles.muted,
        barWidth: 18,
        silent: true,
        label: {
          show: true,
          position: 'right' as const,
          color: roles.ink,
          formatter: ({ value }: { value: unknown }) => rate(Number(value)),
        },
      })),
    },
  });
}
