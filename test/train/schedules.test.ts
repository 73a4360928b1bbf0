import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  constantSchedule,
  cosineSchedule,
  oneCycleSchedule,
  stepSchedule,
  type Schedule,
} from '../../src/index.js';
import { allClose } from '../allClose.js';

const stepsPerEpoch = 10;
const at = (schedule: Schedule, ...steps: number[]) =>
  steps.map((step) => schedule(step, stepsPerEpoch));

test('constantSchedule', () => {
  allClose(at(constantSchedule(0.1), 0, 1, 1e6), [0.1, 0.1, 0.1]);
});

test('stepSchedule changes at the first step of each milestone', () => {
  const schedule = stepSchedule(0.01, { milestones: [2, 5], factor: 0.5 });
  allClose(at(schedule, 0, 19, 20, 49, 50, 99), [0.01, 0.01, 0.005, 0.005, 0.0025, 0.0025]);
});

test('cosineSchedule warms up, decays, and holds the final rate', () => {
  const schedule = cosineSchedule(1, { epochs: 12, warmupEpochs: 2, finalRate: 0.1 });
  allClose(at(schedule, 0, 9, 19, 20, 70, 120, 500), [0.05, 0.5, 1, 1, 0.55, 0.1, 0.1]);
  allClose(at(cosineSchedule(2, { epochs: 10 }), 0, 50, 100), [2, 1, 0]);
});

test('oneCycleSchedule rises to the rate and falls to 0', () => {
  const schedule = oneCycleSchedule(1, { epochs: 10, rise: 0.2, start: 0.1 });
  allClose(at(schedule, 0, 10, 20, 60, 100, 200), [0.1, 0.55, 1, 0.5, 0, 0]);
});

test('schedules refuse settings that make no sense', () => {
  const invalid = { code: 'INVALID_ARGUMENT' };
  assert.throws(() => constantSchedule(NaN), invalid);
  assert.throws(() => constantSchedule(-1), invalid);
  assert.throws(() => stepSchedule(0.1, { milestones: [5, 2] }), invalid);
  assert.throws(() => stepSchedule(0.1, { milestones: [5], factor: 0 }), invalid);
  assert.throws(() => cosineSchedule(0.1, { epochs: 5, warmupEpochs: 5 }), invalid);
  assert.throws(() => oneCycleSchedule(0.1, { epochs: 0 }), invalid);
});
