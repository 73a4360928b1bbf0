/** The training curves of the report. */
import { percent } from './format.js';
import { axisLook, legendLook, renderPlot, type PlotOption } from './plot.js';
import { roles } from './theme.js';
import type { EpochReport, RunReport } from './types.js';

type Point = [number, number];
type Series = Exclude<NonNullable<PlotOption['series']>, readonly unknown[]>;

type Value = (epoch: EpochReport) => number | undefined;

interface Line {
  name: string;
  color: string;
  dashed?: boolean;
  points: Point[];
}

/** Points (epoch, value). Epochs of dynamic training follow those of the dense one on the same axis. */
function pointsOf(history: EpochReport[], first: number, value: Value): Point[] {
  return history.flatMap((epoch): Point[] => {
    const y = value(epoch);
    return y !== undefined && Number.isFinite(y) ? [[first + epoch.epoch, y]] : [];
  });
}

function lineSeries({ name, color, dashed = false, points }: Line): Series {
  return {
    type: 'line',
    name,
    data: points,
    color,
    lineStyle: { width: dashed ? 1.5 : 2.2, type: dashed ? 'dashed' : 'solid' },
    symbol: dashed ? 'none' : 'circle',
    symbolSize: points.length > 40 ? 0 : 5,
    itemStyle: { color },
    silent: true,
  };
}

/** A line, and the same with gaps: echarts' own legend draws dashed lines solid. */
const solidIcon = 'path://M0 4h22v2h-22z';
const dashedIcon = 'path://M0 4h6v2h-6zM8 4h6v2h-6zM16 4h6v2h-6z';

interface CurveAxis {
  name: string;
  format: (value: number) => string;
}

function curves(id: string, label: string, lines: Line[], axis: CurveAxis): string {
  const shown = lines.filter(({ points }) => points.length > 0);
  return renderPlot({
    id,
    label,
    option: {
      grid: { left: 56, right: 18, top: 58, bottom: 46 },
      legend: {
        ...legendLook,
        itemWidth: 22,
        data: shown.map(({ name, dashed = false }) => ({
          name,
          icon: dashed ? dashedIcon : solidIcon,
        })),
      },
      xAxis: {
        ...axisLook,
        type: 'value',
        name: 'epoch',
        nameLocation: 'middle',
        nameGap: 28,
        min: 1,
        max: Math.max(2, ...shown.flatMap(({ points }) => points.map(([epoch]) => epoch))),
        minInterval: 1,
        splitLine: { show: false },
      },
      yAxis: {
        ...axisLook,
        type: 'value',
        scale: true,
        name: axis.name,
        nameLocation: 'end',
        nameTextStyle: { ...axisLook.nameTextStyle, align: 'left', padding: [0, 0, 0, -46] },
        axisLabel: { ...axisLook.axisLabel, formatter: axis.format },
      },
      series: shown.map(lineSeries),
    },
  });
}

function bothTrainings({ dense, dynamic }: RunReport, train: Value, test: Value): Line[] {
  const first = dense.history.length;
  return [
    { name: 'dense, test', color: roles.dense, points: pointsOf(dense.history, 0, test) },
    {
      name: 'dense, training',
      color: roles.dense,
      dashed: true,
      points: pointsOf(dense.history, 0, train),
    },
    { name: 'dynamic, test', color: roles.dynamic, points: pointsOf(dynamic.history, first, test) },
    {
      name: 'dynamic, training',
      color: roles.dynamic,
      dashed: true,
      points: pointsOf(dynamic.history, first, train),
    },
  ];
}

export function accuracyPlot(report: RunReport): string {
  const lines = bothTrainings(
    report,
    (epoch) => epoch.trainAccuracy,
    (epoch) => epoch.testAccuracy,
  );
  return curves('accuracy', 'Accuracy by epoch', lines, shareAxis('accuracy'));
}

export function lossPlot(report: RunReport): string {
  const lines = bothTrainings(
    report,
    (epoch) => epoch.taskLoss,
    (epoch) => epoch.testLoss,
  );
  return curves('loss', 'Cross entropy by epoch', lines, {
    name: 'cross entropy',
    format: (value) => String(round(value)),
  });
}

/** How the predicted masks develop in dynamic training. */
export function maskPlot({ dynamic: { history } }: RunReport): string {
  const lines: Line[] = [
    {
      name: 'as the target mask',
      color: roles.estimated,
      points: pointsOf(history, 0, (epoch) => epoch.maskAccuracy),
    },
    {
      name: 'active channels',
      color: roles.dynamic,
      points: pointsOf(history, 0, (epoch) => epoch.keepRatio),
    },
  ];
  return curves(
    'masks',
    'Predicted masks by epoch of dynamic training',
    lines,
    shareAxis('share of channels'),
  );
}

function shareAxis(name: string): CurveAxis {
  return {
    name,
    format: (value) => percent(value, Number.isInteger(round(100 * value)) ? 0 : 1),
  };
}

/** Without the dust of binary fractions. */
function round(value: number): number {
  return Number(value.toPrecision(6));
}
