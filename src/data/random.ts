/**
 * The package's own random numbers, so that a seed gives the same run on every machine and Node version:
 * sfc32 (C. Doty-Humphrey, PractRand), its state filled from the seeds by the finaliser of MurmurHash3.
 * Not for cryptography.
 */
import { check } from '../errors.js';

/** A stream of pseudo-random numbers. */
export interface Random {
  /** An integer in [0, 2^32). */
  uint32(): number;
  /** A number in [0, 1) with 32 random bits. */
  uniform(): number;
  /** An integer in [0, limit), limit <= 2^32; the bias is below limit / 2^32. */
  below(limit: number): number;
  /** Standard normal (Box-Muller). */
  normal(): number;
}

const goldenRatio = 0x9e3779b9;

function mix(value: number): number {
  let h = value | 0;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}

/**
 * One 32-bit hash of a list of integers. Order matters; each integer counts with its low 53 bits.
 * A stateless draw: the same keys give the same number, whatever was drawn before.
 */
export function hash32(...keys: number[]): number {
  let state = goldenRatio;
  for (const key of keys) {
    state = mix(state ^ mix((key | 0) + goldenRatio));
    const high = Math.floor(key / 2 ** 32);
    if (high !== 0) state = mix(state ^ mix(high ^ 0x5bd1e995));
  }
  return state;
}

/**
 * A stream that depends on all of `seeds`, for instance (seed, epoch): neighbouring seeds give unrelated streams.
 * @throws FtwtError INVALID_ARGUMENT when a seed is not an integer
 */
export function createRandom(...seeds: number[]): Random {
  for (const seed of seeds) checkSeed(seed);
  let a = hash32(...seeds, 1) | 0;
  let b = hash32(...seeds, 2) | 0;
  let c = hash32(...seeds, 3) | 0;
  let counter = 1;
  const uint32 = (): number => {
    const result = (((a + b) | 0) + counter) | 0;
    counter = (counter + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = (((c << 21) | (c >>> 11)) + result) | 0;
    return result >>> 0;
  };
  for (let i = 0; i < 12; i++) uint32();
  const uniform = () => uint32() / 2 ** 32;
  return {
    uint32,
    uniform,
    below: (limit) => Math.floor(uniform() * limit),
    normal: () => Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform()),
  };
}

/** The numbers 0 .. count - 1 in random order (Fisher-Yates). */
export function permutation(count: number, random: Random): Uint32Array {
  const order = Uint32Array.from({ length: count }, (_, i) => i);
  for (let i = count - 1; i > 0; i--) {
    const j = random.below(i + 1);
    [order[i], order[j]] = [order[j], order[i]];
  }
  return order;
}

/** @throws FtwtError INVALID_ARGUMENT unless `seed` is an integer that a double holds exactly */
export function checkSeed(seed: number, name = 'seed'): void {
  check(Number.isSafeInteger(seed), () => `${name} must be an integer, got ${seed}`);
}
