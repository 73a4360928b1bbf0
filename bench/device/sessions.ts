/** Compiled networks on a device: dense, and with masks forced to random channels of every image; host to host. */
import * as tf from '@tensorflow/tfjs';
import type { Precision } from '../../src/binding.js';
import { compile, makeDynamic, type Session } from '../../src/index.js';
import { randomImages } from '../../src/timing/images.js';
import { checkedError, tolerances } from '../../src/timing/logits.js';
import { randomMaskSets } from '../models/masks.js';
import { randomiseNorms, randomisePredictors } from '../models/randomise.js';
import { buildNetwork, type Network } from './networks.js';
import type { Target } from './target.js';
import { timeAll, type Plan, type Timings, type Work } from './time.js';

/** Of the skippable MACs; predictors run as well. */
export const reductions = [0, 0.5, 0.7];

/** Milliseconds of the device for each step of a run that is queued step by step, medians. */
export interface StepTime {
  layer: string;
  variant: string;
  milliseconds: number;
}

export interface SessionRow {
  name: string;
  batch: number;
  precision: Precision;
  /** `dense`, `dynamic 0.5` …: a whole `run`, from memory of the host to memory of the host. */
  timings: Timings;
  profiles: Record<string, StepTime[]>;
  /** The largest difference from the same network on the CPU, as a share of the largest logit. */
  error: number;
}

interface Contender {
  name: string;
  session: Session;
  onHost: Session;
  /** For so many images as a batch has; undefined: dense. */
  masks?: Uint8Array;
}

const checkedImages = 2;
const profiled = 5;

/** @throws Error where the device computes something else than the CPU */
export async function timeSessions(
  target: Target,
  device: string,
  network: Network & { batches: number[] },
  plan: Plan,
): Promise<SessionRow[]> {
  const rows: SessionRow[] = [];
  if (network.batches.length === 0) return rows;
  const maxBatch = Math.max(...network.batches);
  const dense = randomiseNorms(buildNetwork(network));
  const dynamic = randomisePredictors(makeDynamic(dense, { mass: 0.9 }));
  const images = randomImages(dense, maxBatch);
  const inputLength = images.length / maxBatch;
  const host = [dense, dynamic].map((model) =>
    compile(model, { maxBatch: checkedImages, measure: false }),
  );
  const masksOf = new Map(
    network.batches.map((n) => [
      n,
      reductions.map((reduction) => randomMaskSets(dynamic, { reduction, n, count: 1 }).sets[0]),
    ]),
  );
  for (const precision of target.precisions) {
    const sessions = [dense, dynamic].map((model) =>
      compile(model, { device, precision, maxBatch }),
    );
    for (const n of network.batches) {
      const contenders: Contender[] = [
        { name: 'dense', session: sessions[0], onHost: host[0] },
        ...reductions.map((reduction, i) => ({
          name: `dynamic ${reduction}`,
          session: sessions[1],
          onHost: host[1],
          masks: masksOf.get(n)![i],
        })),
      ];
      const batch = images.subarray(0, n * inputLength);
      const error = Math.max(
        ...contenders.map((contender) => check(contender, batch, n, precision)),
      );
      const works = contenders.map(({ name, session, masks }): Work => ({
        name,
        launch: () => void session.run(batch, { forcedMasks: masks }),
      }));
      const timings = await timeAll(works, target, plan);
      const profiles = Object.fromEntries(
        contenders.map((contender) => [contender.name, profile(contender, batch)]),
      );
      rows.push({ name: network.name, batch: n, precision, timings, profiles, error });
      console.error(`${network.name} compiled, ${precision}, batch ${n}`);
    }
    sessions.forEach((session) => session.dispose());
  }
  host.forEach((session) => session.dispose());
  tf.dispose([dense, dynamic].flatMap((model) => model.weights.map((weight) => weight.read())));
  return rows;
}

/** A few images of the batch beside the CPU's. */
function check(
  { name, session, onHost, masks }: Contender,
  images: Float32Array,
  n: number,
  precision: Precision,
): number {
  const few = Math.min(n, checkedImages);
  const { logits } = session.run(images, { forcedMasks: masks });
  const expected = onHost.run(images.subarray(0, few * (images.length / n)), {
    forcedMasks: masks?.subarray(0, few * onHost.maskWidth),
  });
  const actual = logits.subarray(0, expected.logits.length);
  return checkedError(name, actual, expected.logits, tolerances[precision]);
}

function profile({ session, masks }: Contender, images: Float32Array): StepTime[] {
  const runs = Array.from({ length: profiled }, () =>
    session
      .profile(images, { forcedMasks: masks })
      .flatMap(({ name, steps }) => steps.map((step) => ({ layer: name, ...step }))),
  );
  return runs[0].map(({ layer, variant }, i) => {
    const times = runs.map((steps) => steps[i].milliseconds).sort((a, b) => a - b);
    return { layer, variant, milliseconds: times[times.length >> 1] };
  });
}
