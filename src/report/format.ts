/** Numbers and text as the report prints them. */

const entities: Record<string, string> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

/** Text for an HTML element or a quoted attribute. */
export function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => entities[character]);
}

const dash = '–';

/** A share from 0 to 1 as percent: `0.9153` is `91.53 %`. */
export function percent(share: number, digits = 2): string {
  return Number.isFinite(share) ? `${fixed(100 * share, digits)} %` : dash;
}

/** A difference of two shares in percentage points, with its sign. */
export function points(difference: number, digits = 2): string {
  if (!Number.isFinite(difference)) return dash;
  const text = fixed(100 * difference, digits);
  return difference > 0 && Number(text) !== 0 ? `+${text}` : text;
}

/** A count in short: `12345678` is `12.3 M`. */
export function short(count: number): string {
  if (!Number.isFinite(count)) return dash;
  const steps: [number, string][] = [
    [1e9, ' G'],
    [1e6, ' M'],
    [1e3, ' k'],
  ];
  const [unit, suffix] = steps.find(([size]) => Math.abs(count) >= size) ?? [1, ''];
  const value = count / unit;
  const digits = suffix === '' || value >= 100 ? 0 : value >= 10 ? 1 : 2;
  return `${value.toFixed(digits)}${suffix}`;
}

/** A count in full: `12345678` is `12,345,678`. */
export function grouped(count: number): string {
  return Number.isFinite(count) ? Math.round(count).toLocaleString('en-US') : dash;
}

/** A time in seconds, in words: `492.4` is `8 min 12 s`. */
export function duration(seconds: number): string {
  if (!Number.isFinite(seconds)) return dash;
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
}

/** Like `toFixed`, with a minus sign and never `-0`. */
function fixed(value: number, digits: number): string {
  const text = value.toFixed(digits);
  return Number(text) === 0 ? text.replace('-', '') : text.replace('-', '−');
}
