/** The section of the report on images per second. */
import type { CustomSeriesOption } from 'echarts';
import { escapeHtml, grouped, percent } from './format.js';
import { axisLook, renderPlot, usualWidth } from './plot.js';
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
  const figures = batches
    .filter((batch) => speed.rows.some((row) => row.batch === batch))
    .map((batch) => `<figure><h3>Batch ${batch}</h3>${speedPlot(speed, batch)}</figure>`)
    .join('\n');
  const on = speed.device === 'native' ? `${machine.threads} threads` : speed.device;
  return `<section><h2>Images per second</h2>
<p class="quiet">Compiled sessions of both networks (${escapeHtml(on)}) and ONNX Runtime on the dense network, on the same test images, by turns.
Before, the logits of each were found to be those of the trained network. Medians; a tenth of the runs was slower than the range, a tenth faster.</p>
${figures === '' ? '' : `<div class="plots">\n${figures}\n</div>`}
<div class="sheet" style="margin-top:.8rem"><table><thead><tr><th>network</th><th>batch</th><th>images/s</th><th>10 % to 90 %</th><th>ms a batch</th><th>MACs computed</th></tr></thead><tbody>
${lines.join('\n')}
</tbody></table></div>
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

const [left, right] = [182, 64];
const plotWidth = usualWidth - left - right;

/** Medians as bars, and the range beside them as whiskers. */
function speedPlot(speed: SpeedReport, batch: number): string {
  const { contenders } = speed;
  const rows = speed.rows.filter((row) => row.batch === batch);
  const colors: string[] = [roles.dense, roles.dynamic, roles.peer];
  const widest = Math.max(...rows.map(({ imagesPerSecond: { p90 } }) => p90));
  return renderPlot({
    id: `speed${batch}`,
    label: `Images per second, batch ${batch}`,
    height: 56 + 38 * rows.length,
    option: {
      grid: { left, right, top: 8, bottom: 30 },
      xAxis: {
        ...axisLook,
        type: 'value',
        splitNumber: 3,
        max: widest,
        axisLabel: { ...axisLook.axisLabel, showMaxLabel: false, formatter: grouped },
      },
      yAxis: {
        ...axisLook,
        type: 'category',
        inverse: true,
        data: rows.map(({ contender }) => contender),
      },
      series: [
        {
          type: 'bar',
          data: rows.map(({ contender, imagesPerSecond: { median, p90 } }) => ({
            value: median,
            itemStyle: { color: colors[contenders.indexOf(contender)] ?? roles.muted },
            // Beyond the whisker.
            label: { distance: 8 + (plotWidth * (p90 - median)) / widest },
          })),
          barWidth: 20,
          silent: true,
          label: {
            show: true,
            position: 'right',
            color: roles.ink,
            formatter: ({ value }: { value: unknown }) => rate(Number(value)),
          },
        },
        {
          type: 'custom',
          silent: true,
          z: 5,
          data: rows.map(({ imagesPerSecond: { p10, p90 } }, i) => [i, p10, p90]),
          renderItem: (_, api) => whisker(api),
        },
      ],
    },
  });
}

type RenderItem = NonNullable<CustomSeriesOption['renderItem']>;

/** A line from p10 to p90 with an end stop each. */
function whisker(api: Parameters<RenderItem>[1]): ReturnType<RenderItem> {
  const [row, p10, p90] = [0, 1, 2].map((dimension) => Number(api.value(dimension)));
  const [from, y] = api.coord([p10, row]);
  const [to] = api.coord([p90, row]);
  const style = { stroke: roles.ink, lineWidth: 1.5 };
  const line = (x1: number, y1: number, x2: number, y2: number) => ({
    ...{ type: 'line' as const, shape: { x1, y1, x2, y2 }, style },
  });
  const stops = [from, to].map((x) => line(x, y - 4, x, y + 4));
  return { type: 'group', children: [line(from, y, to, y), ...stops] };
}
