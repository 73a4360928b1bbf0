/** The plots that compare networks and layers: accuracy against FLOPs, predicted against measured. */
import { percent } from './format.js';
import { axisLook, legendLook, renderPlot, usualWidth } from './plot.js';
import { roles } from './theme.js';
import type { RunReport } from './types.js';

const percentAxis = {
  ...axisLook,
  type: 'value',
  min: 0,
  max: 1,
  axisLabel: { ...axisLook.axisLabel, formatter: (value: number) => percent(value, 0) },
} as const;

/** One accuracy for each FLOPs reduction: the dense network, and the dynamic one by both counts, with its way there. */
export function tradeOffPlot({ dense, dynamic, estimated }: RunReport): string {
  const reduction = dynamic.macsReduction;
  const path = dynamic.history.flatMap(({ testAccuracy, macsReduction }) =>
    testAccuracy === undefined || macsReduction === undefined
      ? []
      : [[macsReduction.skippable, testAccuracy]],
  );
  const accuracies = [dense.accuracy, dynamic.accuracy, ...path.map(([, accuracy]) => accuracy)];
  const lowest = Math.min(...accuracies) - 0.01;
  const highest = Math.max(...accuracies) + 0.01;
  const point = (
    name: string,
    at: [number, number],
    color: string,
    filled: boolean,
    position: 'left' | 'right',
  ) => ({
    type: 'scatter' as const,
    name,
    data: [at],
    symbolSize: 13,
    silent: true,
    itemStyle: {
      opacity: 1,
      color: filled ? color : roles.surface,
      borderColor: color,
      borderWidth: 2.5,
    },
    label: {
      show: true,
      position,
      formatter: () => `${name}\n${percent(at[1])}`,
      color: roles.ink,
      fontSize: 12,
      lineHeight: 16,
      distance: 8,
      textBorderColor: roles.surface,
      textBorderWidth: 3,
    },
  });
  return renderPlot({
    id: 'tradeOff',
    label: 'Test accuracy against FLOPs reduction',
    option: {
      grid: { left: 56, right: 24, top: 30, bottom: 46 },
      xAxis: {
        ...percentAxis,
        name: 'FLOPs reduction',
        nameLocation: 'middle',
        nameGap: 28,
        splitLine: { show: false },
      },
      yAxis: {
        ...axisLook,
        type: 'value',
        name: 'test accuracy',
        min: Math.max(0, Math.floor(lowest * 100) / 100),
        max: Math.min(1, Math.ceil(highest * 100) / 100),
        nameTextStyle: { ...axisLook.nameTextStyle, align: 'left', padding: [0, 0, 0, -46] },
        axisLabel: {
          ...axisLook.axisLabel,
          formatter: (value: number) =>
            percent(value, Math.abs(value * 100 - Math.round(value * 100)) < 1e-6 ? 0 : 1),
        },
      },
      series: [
        {
          type: 'line',
          data: path,
          symbol: 'circle',
          symbolSize: 4,
          silent: true,
          color: roles.dynamic,
          lineStyle: { width: 1, opacity: 0.5 },
          itemStyle: { opacity: 0.5 },
          markLine: {
            symbol: 'none',
            silent: true,
            lineStyle: { color: roles.estimated, type: 'dashed', width: 1.5 },
            label: {
              color: roles.estimated,
              formatter: 'predicted',
              position: 'end',
              fontSize: 12,
            },
            data: [{ xAxis: estimated.macsReduction.skippable }],
          },
        },
        point('dense', [0, dense.accuracy], roles.dense, true, 'right'),
        ...(['skippable', 'published'] as const).map((counting) =>
          point(
            counting,
            [reduction[counting], dynamic.accuracy],
            roles.dynamic,
            counting === 'skippable',
            reduction[counting] === Math.max(reduction.skippable, reduction.published)
              ? 'right'
              : 'left',
          ),
        ),
      ],
    },
  });
}

/** Both FLOPs reductions, as estimated before dynamic training and as measured after it. */
export function reductionPlot({ dynamic, estimated }: RunReport): string {
  const bars = (
    name: string,
    color: string,
    { published, skippable }: typeof dynamic.macsReduction,
  ) => ({
    type: 'bar' as const,
    name,
    data: [skippable, published],
    color,
    barWidth: 26,
    silent: true,
    label: {
      show: true,
      position: 'right' as const,
      color: roles.ink,
      formatter: ({ value }: { value: unknown }) => percent(Number(value), 1),
    },
  });
  return renderPlot({
    id: 'reduction',
    label: 'FLOPs reduction, predicted and measured',
    option: {
      grid: { left: 78, right: 56, top: 44, bottom: 34 },
      legend: legendLook,
      xAxis: percentAxis,
      yAxis: { ...axisLook, type: 'category', inverse: true, data: ['skippable', 'published'] },
      series: [
        bars('predicted', roles.estimated, estimated.macsReduction),
        bars('measured', roles.dynamic, dynamic.macsReduction),
      ],
    },
  });
}

/** Share of active channels in each layer: bars as measured, ticks as estimated. */
export function keepRatioPlot({ layers }: RunReport): string {
  const [left, right] = [112, 50];
  const plotWidth = usualWidth - left - right;
  const rowHeight = layers.length > 15 ? 20 : 27;
  return renderPlot({
    id: 'keepRatio',
    label: 'Share of active channels per layer, predicted and measured',
    height: 84 + rowHeight * Math.max(1, layers.length),
    option: {
      grid: { left, right, top: 40, bottom: 40 },
      legend: legendLook,
      xAxis: {
        ...percentAxis,
        name: 'active channels',
        nameLocation: 'middle',
        nameGap: 26,
      },
      yAxis: {
        ...axisLook,
        type: 'category',
        inverse: true,
        data: layers.map(({ name }) => name),
        axisLabel: { ...axisLook.axisLabel, interval: 0, formatter: shortName },
      },
      series: [
        {
          type: 'bar',
          name: 'measured',
          data: layers.map(({ keepRatio: { measured, estimated } }) => ({
            value: measured,
            // Beyond the tick, where that one stands further out.
            label: { distance: 8 + plotWidth * Math.max(0, estimated - measured) },
          })),
          color: roles.dynamic,
          barWidth: '62%',
          silent: true,
          label: {
            show: true,
            position: 'right',
            color: roles.muted,
            formatter: ({ value }) => percent(Number(value), 0),
          },
        },
        {
          type: 'scatter',
          name: 'predicted',
          data: layers.map(({ keepRatio }, index) => [keepRatio.estimated, index]),
          symbol: 'rect',
          symbolSize: [4, 0.8 * rowHeight],
          itemStyle: { color: roles.estimated, opacity: 1 },
          silent: true,
          z: 5,
        },
      ],
    },
  });
}

/** The end of a long name: that is where layers differ. */
function shortName(name: string): string {
  return name.length <= 14 ? name : `…${name.slice(-13)}`;
}
