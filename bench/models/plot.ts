/** Speed-up over ONNX Runtime against the share of MACs that is skipped. */
import { axisLook, legendLook, renderPlot, type PlotOption } from '../../src/report/plot.js';
import { roles } from '../../src/report/theme.js';
import { networkOf } from './networks.js';
import type { Row } from './rounds.js';
import { speedUp } from './table.js';
import { standalone, lineColors } from './standaloneSvg.js';

type Point = [number, number];
type Series = Exclude<NonNullable<PlotOption['series']>, readonly unknown[]>;

const panel = { width: 270, height: 260, left: 56, top: 128, gap: 42, bottom: 48 };

/** Of the reductions that are drawn; the axis has ticks at every fifth of a labelled step. */
const [most, step, tick] = [0.75, 0.25, 0.05];

/** A line, and the same with gaps: echarts' own legend draws dashed lines solid. */
const solidIcon = 'path://M0 4h22v2h-22z';
const dashedIcon = 'path://M0 4h6v2h-6zM8 4h6v2h-6zM16 4h6v2h-6z';
const idealName = '1 / (1 - reduction)';

/** @param rows with one number of threads @returns a file, or undefined where there is nothing to draw */
export function plotSpeedUps(rows: Row[]): string | undefined {
  const points = rows.filter(
    (row) => row.reduction !== undefined && speedUp(rows, row) !== undefined,
  );
  if (points.length === 0) return undefined;
  const batches = [...new Set(points.map(({ batch }) => batch))].sort((a, b) => a - b);
  const names = [...new Set(points.map(({ network }) => network))];
  const speedUps = points.map((row) => speedUp(rows, row)!);
  const highest = Math.ceil(Math.max(1 / (1 - most), ...speedUps));
  // With all channels active, the predictors make the reduction negative.
  const reductions = points.map(({ reduction }) => reduction!);
  const least = tick * Math.floor(Math.min(-tick, ...reductions) / tick);
  const width = panel.left + batches.length * (panel.width + panel.gap);
  const height = panel.top + panel.height + panel.bottom;
  const lines = (batch: number, index: number): Series[] => [
    ideal(index),
    ...names.map((name, i) => {
      const own = points.filter((row) => row.network === name && row.batch === batch);
      const data = own
        .map((row): Point => [row.reduction!, speedUp(rows, row)!])
        .sort(([a], [b]) => a - b);
      return networkLine(networkOf(name).title, lineColors[i % lineColors.length], data, index);
    }),
  ];
  const option: PlotOption = {
    title: batches.map((batch, i) => ({
      text: `batch ${batch}`,
      left: left(i) + panel.width / 2,
      top: panel.top - 30,
      textAlign: 'center',
      textStyle: { color: roles.ink, fontSize: 13, fontWeight: 'bold' },
    })),
    legend: {
      ...legendLook,
      ...{ left: panel.left, width: width - panel.left - panel.gap, itemWidth: 22 },
      data: [
        ...names.map((name) => ({ name: networkOf(name).title, icon: solidIcon })),
        { name: idealName, icon: dashedIcon },
      ],
    },
    grid: batches.map((_, i) => ({
      left: left(i),
      top: panel.top,
      width: panel.width,
      height: panel.height,
    })),
    xAxis: batches.map((_, i) => ({
      ...axisLook,
      type: 'value',
      gridIndex: i,
      min: least,
      max: most,
      interval: tick,
      name: 'skippable FLOPs reduction',
      nameLocation: 'middle',
      nameGap: 28,
      splitLine: { show: false },
      axisLabel: { ...axisLook.axisLabel, formatter: percentOf },
    })),
    yAxis: batches.map((_, i) => ({
      ...axisLook,
      type: 'value',
      gridIndex: i,
      min: 0,
      max: highest,
      interval: 1,
      name: i === 0 ? 'times faster than ONNX Runtime, dense' : '',
      nameLocation: 'middle',
      nameGap: 36,
      axisLabel: { ...axisLook.axisLabel, formatter: (y: number) => `${y}x` },
    })),
    series: batches.flatMap(lines),
  };
  const label = 'Speed-up over ONNX Runtime against skippable FLOPs reduction';
  return standalone(renderPlot({ id: 'speedUp', label, width, height, option }), width, height);
}

/** Nothing between the steps. */
function percentOf(x: number): string {
  const steps = x / step;
  return Math.abs(steps - Math.round(steps)) < 1e-9 ? `${Math.round(100 * x)} %` : '';
}

function left(index: number): number {
  return panel.left + index * (panel.width + panel.gap);
}

/** What skipping could give if time went with MACs and the dense network took as long as ONNX Runtime. */
function ideal(index: number): Series {
  const data = Array.from({ length: 41 }, (_, i): Point => {
    const reduction = (most * i) / 40;
    return [reduction, 1 / (1 - reduction)];
  });
  return {
    type: 'line',
    name: idealName,
    xAxisIndex: index,
    yAxisIndex: index,
    data,
    symbol: 'none',
    silent: true,
    color: roles.muted,
    lineStyle: { type: 'dashed', width: 1.5 },
  };
}

function networkLine(name: string, color: string, data: Point[], index: number): Series {
  return {
    type: 'line',
    name,
    xAxisIndex: index,
    yAxisIndex: index,
    data,
    color,
    symbol: 'circle',
    symbolSize: 6,
    silent: true,
    lineStyle: { width: 2 },
  };
}
