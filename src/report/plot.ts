/** Draws one echarts option as an SVG that can stand in a page beside others, in light and dark, without any script. */
import * as echarts from 'echarts';
import { escapeHtml } from './format.js';
import { roles, withThemeVariables } from './theme.js';

export type PlotOption = echarts.EChartsOption;

export interface Plot {
  /** Unique in its page; prefixes the ids inside the SVG. */
  id: string;
  /** What the plot shows, for screen readers. */
  label: string;
  width?: number;
  height?: number;
  option: PlotOption;
}

/** Size at which text of 12 px reads well both on a phone (full width) and in two columns. */
export const usualWidth = 500;
const usualHeight = 300;

export const axisLook = {
  axisLine: { lineStyle: { color: roles.grid } },
  axisTick: { show: false },
  axisLabel: { color: roles.muted, fontSize: 12 },
  nameTextStyle: { color: roles.muted, fontSize: 12 },
  splitLine: { lineStyle: { color: roles.grid } },
};

/** The gap is wide because echarts, without a browser, underrates how wide text is. */
export const legendLook = {
  top: 0,
  left: 0,
  itemGap: 24,
  textStyle: { color: roles.ink, fontSize: 12 },
};

export function renderPlot({
  id,
  label,
  width = usualWidth,
  height = usualHeight,
  option,
}: Plot): string {
  const chart = echarts.init(null, null, { renderer: 'svg', ssr: true, width, height });
  try {
    chart.setOption({
      animation: false,
      backgroundColor: 'transparent',
      textStyle: { fontFamily: 'system-ui, sans-serif', color: roles.ink },
      ...option,
    });
    return inlineSvg(chart.renderToSVGString(), id, label);
  } finally {
    chart.dispose(); // else its animation timer keeps the process alive
  }
}

/** Drops what only echarts' own script would use, and makes ids unique in the page. */
function inlineSvg(svg: string, id: string, label: string): string {
  const plain = svg
    .replace(/<style[\s\S]*?<\/style>/g, '')
    .replace(/ (class|ecmeta_\w+|xml:space|xmlns:xlink|version|baseProfile)="[^"]*"/g, '')
    .replace(/\bzr\d+-/g, `${id}-`)
    .replace(/<svg width="\d+" height="\d+"/, `<svg role="img" aria-label="${escapeHtml(label)}"`)
    .replace(/\n+/g, '\n');
  return withThemeVariables(plain);
}
