/** A made-up data set: for tests, and for trying things out without any download. */
import { check } from '../errors.js';
import { checkSeed, createRandom, type Random } from './random.js';
import type { Dataset, ImageShape, Split } from './types.js';

/** What to make up. */
export interface SyntheticOptions {
  /** Default 10. */
  classes?: number;
  /** Default [28, 28, 1]. */
  shape?: ImageShape;
  /** Training images. Default 1000. */
  count?: number;
  /** Test images. Default: a fifth of `count`. */
  testCount?: number;
  /** Default 0. */
  seed?: number;
  /** Half width of the uniform noise, in units of [0, 1]. Default 0.2. */
  noise?: number;
}

/**
 * Images that can be learnt: class k of K has a grating turned by pi k / K with a random phase, and a bright spot
 * at angle 2 pi k / K around the centre, under uniform noise. Labels go round 0, 1, .. K - 1.
 * The same options give the same bytes; training and test images come from different random streams.
 * @throws FtwtError INVALID_ARGUMENT
 */
export function syntheticDataset(options: SyntheticOptions = {}): Dataset {
  const { classes = 10, shape = [28, 28, 1], count = 1000, seed = 0, noise = 0.2 } = options;
  const testCount = options.testCount ?? Math.max(1, Math.round(count / 5));
  for (const [name, value] of Object.entries({ classes, count, testCount })) {
    check(
      Number.isInteger(value) && value >= 1,
      () => `syntheticDataset: ${name} must be an integer >= 1, got ${value}`,
    );
  }
  check(
    shape.length === 3 && shape.every((size) => Number.isInteger(size) && size >= 1),
    () => `syntheticDataset: shape must be [h, w, c] with sizes >= 1, got [${shape.join(', ')}]`,
  );
  check(
    noise >= 0 && noise <= 1,
    () => `syntheticDataset: noise must be from 0 to 1, got ${noise}`,
  );
  checkSeed(seed, 'syntheticDataset: seed');
  const patterns = Array.from({ length: classes }, (_, k) => patternOf(k, classes, shape));
  return {
    name: 'synthetic',
    classes: patterns.map((_, k) => `class ${k}`),
    train: draw(patterns, shape, count, noise, createRandom(seed, 0)),
    test: draw(patterns, shape, testCount, noise, createRandom(seed, 1)),
  };
}

/** Per pixel and channel: spot, and sine and cosine of the grating, from which any phase can be mixed. */
interface Pattern {
  spot: Float32Array;
  sine: Float32Array;
  cosine: Float32Array;
}

function patternOf(k: number, classes: number, [h, w, c]: ImageShape): Pattern {
  const size = h * w * c;
  const pattern = {
    spot: new Float32Array(size),
    sine: new Float32Array(size),
    cosine: new Float32Array(size),
  };
  const turn = (Math.PI * k) / classes;
  const spotY = 0.5 + 0.3 * Math.sin(2 * turn);
  const spotX = 0.5 + 0.3 * Math.cos(2 * turn);
  for (let i = 0; i < size; i++) {
    const channel = i % c;
    const x = (Math.floor(i / c) % w) + 0.5;
    const y = Math.floor(i / c / w) + 0.5;
    const wave = (2 * Math.PI * (x * Math.cos(turn) + y * Math.sin(turn))) / 5 + channel;
    pattern.spot[i] = Math.exp(-40 * ((y / h - spotY) ** 2 + (x / w - spotX) ** 2));
    pattern.sine[i] = Math.sin(wave);
    pattern.cosine[i] = Math.cos(wave);
  }
  return pattern;
}

function draw(
  patterns: Pattern[],
  shape: ImageShape,
  count: number,
  noise: number,
  random: Random,
): Split {
  const size = shape[0] * shape[1] * shape[2];
  const images = new Uint8Array(count * size);
  const labels = patterns.length <= 256 ? new Uint8Array(count) : new Int32Array(count);
  for (let image = 0; image < count; image++) {
    labels[image] = image % patterns.length;
    const { spot, sine, cosine } = patterns[labels[image]];
    const phase = 2 * Math.PI * random.uniform();
    const [a, b] = [0.15 * Math.cos(phase), 0.15 * Math.sin(phase)];
    for (let i = 0; i < size; i++) {
      const value =
        0.35 + 0.4 * spot[i] + a * sine[i] + b * cosine[i] + noise * (2 * random.uniform() - 1);
      images[image * size + i] = Math.max(0, Math.min(255, Math.round(255 * value)));
    }
  }
  return { images, labels, count, shape: [...shape] };
}
