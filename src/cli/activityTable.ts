/** What each layer does, as a table for the terminal. */
import { grouped, percent } from '../report/format.js';
import type { MacsSummary } from '../pruning/index.js';
import { table } from './table.js';

export function activityTable({ layers, denseMacs, dynamicMacs }: MacsSummary): string {
  const row = (
    name: string,
    channels: string,
    active: string,
    macs: number,
    left: typeof dynamicMacs,
  ) => [
    name,
    channels,
    active,
    grouped(macs),
    grouped(left.skippable),
    percent(1 - left.skippable / macs, 1),
    percent(1 - left.published / macs, 1),
  ];
  return table(
    ['layer', 'channels', 'active', 'dense MACs', 'MACs left', 'skippable', 'published'],
    [
      ...layers.map(({ name, channels, keepRatio, firingRate, macs, dynamicMacs: left }) =>
        row(
          name,
          String(channels),
          firingRate === undefined ? '-' : percent(keepRatio, 1),
          macs,
          left,
        ),
      ),
      row('total', '', '', denseMacs, dynamicMacs),
    ],
  );
}
