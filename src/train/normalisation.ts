/** How a model wants its images normalised: noted in the model, so that it travels with the saved files. */
import type * as tf from '@tensorflow/tfjs';
import type { ChannelStatistics } from '../data/index.js';

const key = 'normalisation';

/** Notes mean and std (per channel, in units of [0, 1]) in the model's metadata; other metadata stays. */
export function noteNormalisation(model: tf.LayersModel, { mean, std }: ChannelStatistics): void {
  model.setUserDefinedMetadata({ ...model.getUserDefinedMetadata(), [key]: { mean, std } });
}

/** What `noteNormalisation` noted; empty for other models. */
export function normalisationOf(model: tf.LayersModel): Partial<ChannelStatistics> {
  const metadata = model.getUserDefinedMetadata() as Record<string, unknown> | undefined;
  return (metadata?.[key] as ChannelStatistics | undefined) ?? {};
}
