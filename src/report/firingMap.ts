/** Which channels fire for which class: a small picture per layer, one pixel per class and channel. */
import sharp from 'sharp';

/** The blue of `.ramp` in the style sheet; the share is its opacity, so that one picture serves light and dark pages. */
const [red, green, blue] = [37, 99, 235];

/**
 * The order in which channels are drawn: by the class that they favour most, then by how often they fire,
 * so that what a class needs stands together.
 * @param rates [classes][channels]
 */
export function channelOrder(rates: number[][]): number[] {
  const channels = rates[0]?.length ?? 0;
  const profile = Array.from({ length: channels }, (_, channel) => {
    const column = rates.map((row) => row[channel]);
    const favourite = column.indexOf(Math.max(...column));
    const total = column.reduce((sum, rate) => sum + rate, 0);
    // A channel that fires always (or never) favours nobody: it comes first (last).
    const spread = Math.max(...column) - Math.min(...column);
    const group = spread < 0.02 ? (total > column.length / 2 ? -1 : column.length) : favourite;
    return { channel, group, total };
  });
  return profile
    .sort((a, b) => a.group - b.group || b.total - a.total || a.channel - b.channel)
    .map(({ channel }) => channel);
}

/**
 * The map of one layer as a PNG of [classes] x [channels] pixels, base64.
 * @param rates [classes][channels], from 0 to 1; at least one of each
 */
export async function firingPng(rates: number[][]): Promise<string> {
  const order = channelOrder(rates);
  const pixels = Buffer.alloc(rates.length * order.length * 4);
  rates.forEach((row, y) =>
    order.forEach((channel, x) => {
      const opacity = Math.round(255 * Math.min(1, Math.max(0, row[channel] || 0)));
      pixels.set([red, green, blue, opacity], 4 * (y * order.length + x));
    }),
  );
  const raw = { width: order.length, height: rates.length, channels: 4 } as const;
  const png = await sharp(pixels, { raw }).png({ compressionLevel: 9 }).toBuffer();
  return png.toString('base64');
}
