/** Progress of `fit` on a terminal: a bar with speed and time left; plain lines where there is no terminal. */
import { Presets, SingleBar } from 'cli-progress';
import type { EpochEntry } from './history.js';
import type { Reporter, StepProgress } from './reporter.js';

export interface ConsoleReporterOptions {
  /** Default `process.stderr`. */
  stream?: NodeJS.WriteStream | NodeJS.WritableStream;
  /** Draw a bar; default: if the stream is a terminal and the setting CI is empty. */
  interactive?: boolean;
  /** Without a bar: seconds between lines within an epoch. Default 10. */
  secondsBetweenLines?: number;
}

/** A reporter for people: a bar, or a line every few seconds, and one line per epoch. */
export function consoleReporter({
  stream = process.stderr,
  interactive = 'isTTY' in stream && stream.isTTY && !process.env.CI,
  secondsBetweenLines = 10,
}: ConsoleReporterOptions = {}): Reporter {
  const line = (text: string) => void stream.write(`${text}\n`);
  return interactive ? barReporter(stream, line) : lineReporter(line, secondsBetweenLines);
}

type WriteLine = (text: string) => void;

function barReporter(stream: NodeJS.WritableStream, line: WriteLine): Reporter {
  let bar: SingleBar | undefined;
  // A line in the middle of a bar would be drawn over.
  const aside = (text: string) => {
    bar?.stop();
    bar = undefined;
    line(text);
  };
  return {
    onStart: ({ resumedAtStep }) => resumed(line, resumedAtStep),
    onStep(progress) {
      if (bar === undefined) {
        const format = `epoch {epoch} {bar} {value}/{total} {details}`;
        const options = { stream, format, clearOnComplete: true, hideCursor: true, fps: 5 };
        bar = new SingleBar(options, Presets.shades_classic);
        bar.start(progress.stepsPerEpoch, progress.step - 1, payload(progress));
      }
      bar.update(progress.step, payload(progress));
    },
    onEpoch: (entry) => aside(epochLine(entry)),
    onWarning: aside,
    onEnd({ interrupted, steps }) {
      bar?.stop();
      if (interrupted) line(interruptedLine(steps));
    },
    // A bar that is not stopped hides the cursor, and its timer keeps the process alive.
    onError: () => bar?.stop(),
  };
}

function lineReporter(line: WriteLine, secondsBetweenLines: number): Reporter {
  let last = performance.now();
  return {
    onStart: ({ resumedAtStep }) => resumed(line, resumedAtStep),
    onStep(progress) {
      if (performance.now() - last < secondsBetweenLines * 1000) return;
      last = performance.now();
      const { epoch, epochs, step, stepsPerEpoch } = progress;
      line(`epoch ${epoch + 1}/${epochs}, step ${step}/${stepsPerEpoch}, ${details(progress)}`);
    },
    onEpoch(entry) {
      last = performance.now();
      line(epochLine(entry));
    },
    onWarning: line,
    onEnd({ interrupted, steps }) {
      if (interrupted) line(interruptedLine(steps));
    },
  };
}

function payload(progress: StepProgress): { epoch: string; details: string } {
  return { epoch: `${progress.epoch + 1}/${progress.epochs}`, details: details(progress) };
}

function details({ loss, accuracy, imagesPerSecond, secondsLeft }: StepProgress): string {
  const quality =
    loss === undefined ? '' : `loss ${loss.toFixed(3)}, accuracy ${percent(accuracy!)}, `;
  return `${quality}${Math.round(imagesPerSecond)} images/s, ${duration(secondsLeft)} left`;
}

function epochLine(entry: EpochEntry): string {
  const { epoch, loss, trainAccuracy, test, layers, imagesPerSecond, seconds, learningRate } =
    entry;
  const parts = [`loss ${loss.toFixed(4)}`, `train ${percent(trainAccuracy)}`];
  if (test !== undefined) parts.push(`test ${percent(test.accuracy)}`);
  if (layers.length > 0) {
    const mean = (key: 'keepRatio' | 'maskAccuracy') =>
      layers.reduce((sum, layer) => sum + layer[key], 0) / layers.length;
    parts.push(`kept ${percent(mean('keepRatio'))}, masks right ${percent(mean('maskAccuracy'))}`);
  }
  parts.push(`learning rate ${Number(learningRate.toPrecision(3))}`);
  parts.push(`${Math.round(imagesPerSecond)} images/s`, duration(seconds));
  return `epoch ${epoch + 1}: ${parts.join(', ')}`;
}

function resumed(line: WriteLine, step: number): void {
  if (step > 0) line(`resumed at step ${step}`);
}

function interruptedLine(steps: number): string {
  return `interrupted after step ${steps}`;
}

function percent(share: number): string {
  return `${(share * 100).toFixed(2)} %`;
}

/** `4:05`, `1:02:09` */
function duration(seconds: number): string {
  const whole = Math.round(seconds);
  const [h, m, s] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  const two = (n: number) => String(n).padStart(2, '0');
  return h > 0 ? `${h}:${two(m)}:${two(s)}` : `${m}:${two(s)}`;
}
