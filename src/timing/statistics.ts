/** Summaries of measured times. */

export interface Spread {
  median: number;
  /** A tenth of the values lies below. */
  p10: number;
  /** A tenth of the values lies above. */
  p90: number;
}

export function spreadOf(values: number[]): Spread {
  return {
    median: quantile(values, 0.5),
    p10: quantile(values, 0.1),
    p90: quantile(values, 0.9),
  };
}

/** The value below which a share of the values lies, between two of them interpolated. */
export function quantile(values: number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  const position = share * (sorted.length - 1);
  const below = Math.floor(position);
  const above = Math.min(below + 1, sorted.length - 1);
  return sorted[below] + (position - below) * (sorted[above] - sorted[below]);
}
