/** The settings of dynamic channel pruning that every dynamic layer carries, and the target mask they define. */
import type { Tensor2D } from '@tensorflow/tfjs';
import { check } from '../errors.js';
import { checkInteger, checkOneOf } from '../ops/checks.js';
import { massMask, topKMask } from '../ops/index.js';

/** Which channels are the target: exactly one of `mass` and `keepRatio`. */
export interface TargetRule {
  /** Share of the saliency to keep, in (0, 1]; negative keeps all channels. See `massMask`. */
  mass?: number;
  /** The same share of channels for every image, in (0, 1]. See `topKMask`. */
  keepRatio?: number;
  /** At least this many channels stay active; default 1. */
  minActive?: number;
  /** Whether the channel that crosses `mass` is kept; default 'exclude', as the published code. */
  crossing?: 'exclude' | 'include';
}

export interface DynamicOptions extends TargetRule {
  /** Whether the mask loss reaches the layers before ('joint') or the predictor alone ('decoupled', the default). */
  mode?: 'decoupled' | 'joint';
  /** How the predictor pools its input; default 'max'. */
  pooling?: 'max' | 'average';
  /** Softmax over the pooled channels; default true. */
  softmax?: boolean;
}

/** A rule with its defaults; `mass` or `keepRatio` is null. Null rather than absent, because saved configs have nulls. */
export interface FullTargetRule {
  mass: number | null;
  keepRatio: number | null;
  minActive: number;
  crossing: 'exclude' | 'include';
}

export interface FullDynamicOptions extends FullTargetRule {
  mode: 'decoupled' | 'joint';
  pooling: 'max' | 'average';
  softmax: boolean;
}

/** Fills in defaults and checks. @throws FtwtError INVALID_ARGUMENT */
export function fullTargetRule(rule: TargetRule, owner: string): FullTargetRule {
  const mass = rule.mass ?? null;
  const keepRatio = rule.keepRatio ?? null;
  const minActive = rule.minActive ?? 1;
  const crossing = rule.crossing ?? 'exclude';
  check(
    (mass === null) !== (keepRatio === null),
    () => `${owner}: give either mass or keepRatio, got mass ${mass} and keepRatio ${keepRatio}`,
  );
  check(
    mass === null || mass < 0 || (mass > 0 && mass <= 1),
    () => `${owner}: mass must be in (0, 1], or negative to keep all, got ${mass}`,
  );
  check(
    keepRatio === null || (keepRatio > 0 && keepRatio <= 1),
    () => `${owner}: keepRatio must be in (0, 1], got ${keepRatio}`,
  );
  checkInteger(owner, 'minActive', minActive, 0);
  checkOneOf(owner, 'crossing', crossing, ['exclude', 'include']);
  return { mass, keepRatio, minActive, crossing };
}

/** Fills in defaults and checks. @throws FtwtError INVALID_ARGUMENT */
export function fullDynamicOptions(options: DynamicOptions, owner: string): FullDynamicOptions {
  const mode = options.mode ?? 'decoupled';
  const pooling = options.pooling ?? 'max';
  const softmax = options.softmax ?? true;
  checkOneOf(owner, 'mode', mode, ['decoupled', 'joint']);
  checkOneOf(owner, 'pooling', pooling, ['max', 'average']);
  checkOneOf(owner, 'softmax', softmax, [true, false]);
  return { ...fullTargetRule(options, owner), mode, pooling, softmax };
}

/** @param saliency [N, C] @returns [N, C], 1 = active; no gradient */
export function targetMaskOf(saliency: Tensor2D, rule: FullTargetRule): Tensor2D {
  const { mass, keepRatio, minActive, crossing } = rule;
  return mass === null
    ? topKMask(saliency, keepRatio!, { minActive })
    : massMask(saliency, mass, { minActive, crossing });
}
