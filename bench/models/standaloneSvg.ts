/** A plot as a file of its own: with the colours of light and dark that a page would give it. */

/** Placeholders for the colours of lines, as `roles` has them for the rest. */
export const lineColors = [0, 1, 2, 3, 4, 5].map((i) => `#f1f1${i}${i}`);

const light = {
  ...{ ink: '#16202e', muted: '#5b6675', grid: '#d5dae1' },
  ...colors(['#2563eb', '#d97706', '#059669', '#9333ea', '#dc2626', '#0891b2']),
};
const dark = {
  ...{ ink: '#e6ebf1', muted: '#98a4b3', grid: '#323d4b' },
  ...colors(['#6ba2ff', '#f0a64c', '#3fcf9b', '#c084fc', '#f87171', '#4cc9e6']),
};

function colors(values: string[]): Record<string, string> {
  return Object.fromEntries(values.map((value, i) => [`line${i}`, value]));
}

export function standalone(svg: string, width: number, height: number): string {
  const style =
    `<style>svg{${variables(light)}}` +
    `@media (prefers-color-scheme: dark){svg{${variables(dark)}}}</style>`;
  const themed = lineColors.reduce(
    (text, placeholder, i) => text.replaceAll(placeholder, `var(--line${i})`),
    svg,
  );
  return `${themed.replace(/<svg ([^>]*)>/, `<svg $1 width="${width}" height="${height}">${style}`)}\n`;
}

function variables(theme: Record<string, string>): string {
  return Object.entries(theme)
    .map(([name, color]) => `--${name}:${color};`)
    .join('');
}
