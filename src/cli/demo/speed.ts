/** Images per second of the demo's two networks, for its report. */
import { batches, type Split } from '../../data/index.js';
import type { SpeedReport } from '../../report/index.js';
import { measureSpeed, type SpeedFailure, type SpeedRow } from '../../timing/speed.js';
import { normalisationOf } from '../../train/normalisation.js';
import { demoRecipe } from '../demoRecipe.js';
import { findOnnxRuntime } from '../onnxRuntime.js';
import { sessionsAndOnnx, type Networks, type SessionTarget } from '../speedContenders.js';

/** As the command line gives them. */
export interface SpeedOptions extends SessionTarget {
  /** Of each network, for each batch size; 0 leaves it out. */
  seconds: number;
}

interface Task extends SpeedOptions {
  test: Split;
  signal: AbortSignal;
}

const rounds = 5;
const mostImages = 64;

/**
 * @returns null where it is not wanted, or would take hours
 * @throws the signal's reason when stopped
 */
export async function measureDemo(
  networks: Required<Networks>,
  { device, precision, seconds, test, signal }: Task,
  tell: (line: string) => void,
): Promise<SpeedReport | null> {
  if (seconds === 0 || device.startsWith('emulator')) return null;
  // tfjs's own kernels run no sessions.
  const target = { device: device === 'cpu' ? 'native' : device, precision };
  const runtime = findOnnxRuntime();
  const found = typeof runtime === 'string' ? undefined : runtime;
  const contenders = sessionsAndOnnx(networks, target, found);
  const names = contenders.map(({ name }) => name);
  if (found === undefined) names.push('dense ONNX Runtime');
  tell(`Timing ${names.slice(0, contenders.length).join(', ')}`);
  const [{ x: images }] = batches(test, {
    ...{ batchSize: Math.min(mostImages, test.count), shuffle: 0 },
    ...normalisationOf(networks.dense),
  });
  const pace = { rounds, turnMs: (1000 * seconds) / rounds };
  const rows: SpeedRow[] = [];
  const failures: SpeedFailure[] = [];
  for (const batch of demoRecipe.speed.batches) {
    const results = await measureSpeed({ contenders, batch, images, pace, signal });
    rows.push(...results.rows);
    failures.push(...results.failures);
  }
  return {
    device: target.device,
    contenders: names,
    batches: [...demoRecipe.speed.batches],
    remark: typeof runtime === 'string' ? runtime : null,
    ...{ rows, failures },
  };
}
