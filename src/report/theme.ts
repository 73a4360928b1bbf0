/**
 * Colours of the plots. echarts gets one placeholder colour per role; in the finished SVG each becomes a CSS variable,
 * so that one drawing serves the light and the dark page.
 */

export const roles = {
  ink: '#f1f001',
  muted: '#f1f002',
  grid: '#f1f003',
  surface: '#f1f004',
  dense: '#f1f005',
  dynamic: '#f1f006',
  estimated: '#f1f007',
  peer: '#f1f008',
} as const;

/** Replaces the placeholders in `svg` by CSS variables. */
export function withThemeVariables(svg: string): string {
  let themed = svg;
  for (const [role, placeholder] of Object.entries(roles)) {
    themed = themed.replaceAll(placeholder, `var(--${role})`);
  }
  return themed;
}

export const styleSheet = `
:root {
  color-scheme: light dark;
  --page: #f5f6f8; --surface: #ffffff; --ink: #16202e; --muted: #5b6675; --grid: #e2e6eb;
  --dense: #8391a5; --dynamic: #2563eb; --estimated: #d97706; --peer: #059669;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #0e1319; --surface: #171e27; --ink: #e6ebf1; --muted: #98a4b3; --grid: #2a3442;
    --dense: #7b899d; --dynamic: #6ba2ff; --estimated: #f0a64c; --peer: #3fcf9b;
  }
}
* { box-sizing: border-box; }
body {
  margin: 0; padding: 2rem 1rem 4rem; background: var(--page); color: var(--ink);
  font: 15px/1.55 system-ui, -apple-system, 'Segoe UI', Roboto, sans-serif;
}
main { max-width: 1080px; margin: 0 auto; }
h1 { font-size: 1.7rem; line-height: 1.25; margin: 0 0 .35rem; }
h2 { font-size: 1.15rem; margin: 2.6rem 0 .3rem; }
h3 { font-size: .95rem; font-weight: 600; margin: 0 0 .5rem; }
p { margin: 0 0 .9rem; max-width: 72ch; }
header .quiet { max-width: none; }
.quiet { color: var(--muted); }
.cards { display: grid; gap: .8rem; grid-template-columns: repeat(auto-fit, minmax(190px, 1fr)); margin: 1.4rem 0; }
.card, figure, .sheet {
  background: var(--surface); border: 1px solid var(--grid); border-radius: 10px; padding: 1rem;
}
.card b { display: block; font-size: 1.75rem; line-height: 1.25; font-weight: 650; font-variant-numeric: tabular-nums; }
.card .name { font-weight: 600; }
.card small, figcaption { color: var(--muted); font-size: .85rem; display: block; }
.card.lead b { color: var(--dynamic); }
.plots { display: grid; gap: .8rem; grid-template-columns: repeat(auto-fit, minmax(min(100%, 420px), 1fr)); }
figure { margin: 0; min-width: 0; }
figure svg { display: block; width: 100%; height: auto; }
figcaption { margin-top: .5rem; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; font-size: .9rem; }
th, td { text-align: right; padding: .3rem .6rem; border-bottom: 1px solid var(--grid); white-space: nowrap; }
th { color: var(--muted); font-weight: 600; }
tr:last-child > * { border-bottom: 0; }
th:first-child, td:first-child { text-align: left; }
.pairs th { text-align: left; vertical-align: top; width: 14rem; }
.pairs td { text-align: left; white-space: normal; overflow-wrap: anywhere; }
.sheet { overflow-x: auto; padding: .6rem .8rem; }
.maps { display: grid; gap: .8rem; }
.map { display: grid; grid-template-columns: max-content 1fr; column-gap: .7rem; }
.map ol { list-style: none; margin: 0; padding: 0; font-size: .75rem; text-align: right; display: grid; grid-auto-rows: 1fr; }
.map li { line-height: 16px; height: 16px; white-space: nowrap; }
.map img { width: 100%; height: 0; min-height: 100%; image-rendering: pixelated; border: 1px solid var(--grid); display: block; }
.ramp { display: inline-block; vertical-align: -1px; width: 7rem; height: .8em; border: 1px solid var(--grid);
  background: linear-gradient(to right, transparent, rgb(37 99 235)); margin: 0 .4rem; }
.samples { display: grid; gap: .7rem; grid-template-columns: repeat(auto-fill, minmax(118px, 1fr)); }
.sample { background: var(--surface); border: 1px solid var(--grid); border-radius: 8px; padding: .55rem; font-size: .8rem; line-height: 1.35; }
.sample img { width: 100%; image-rendering: pixelated; border-radius: 4px; display: block; margin-bottom: .4rem; }
.sample strong { display: block; font-variant-numeric: tabular-nums; }
.sample .wrong { color: var(--estimated); }
code { font: .88em ui-monospace, 'SF Mono', Menlo, Consolas, monospace; }
@media (max-width: 520px) { .pairs th { width: 8.5rem; } .pairs th, .pairs td { white-space: normal; } }
`;
