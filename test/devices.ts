/** Where kernels run: every test of a kernel runs on all of these. */
import assert from 'node:assert/strict';
import * as tf from '@tensorflow/tfjs';
import '../src/index.js';
import { binding, emulatorBinding, type Schedule } from '../src/binding.js';

/**
 * Makes each device in turn the backend: `native` with every instruction set of this processor, the emulator of CUDA
 * with every schedule of its threads, and a GPU where there is one. Yields a label. The setting FTWT_TEST_DEVICE
 * (`native`, `emulator`, `cuda` or `cuda:1`) leaves one of them, which must be there.
 */
export function* eachDevice(): Generator<string> {
  const only = process.env.FTWT_TEST_DEVICE?.split(':')[0];
  if (only === undefined || only === 'native') yield* eachInstructionSet();
  if (only === undefined || only === 'emulator') yield* eachSchedule();
  if (only === 'cuda' || (only === undefined && binding.cudaDevices().devices.length > 0)) {
    useBackend('cuda');
    yield 'cuda';
  }
}

/** The names of the backends that `eachDevice` goes through. */
export function backendsUnderTest(): string[] {
  const only = process.env.FTWT_TEST_DEVICE?.split(':')[0];
  if (only !== undefined) return ['native', only];
  const hasGpu = binding.cudaDevices().devices.length > 0;
  return ['native', 'emulator', ...(hasGpu ? ['cuda'] : [])];
}

/** Where sessions run, as `compile` names it: like `backendsUnderTest`, but nothing beside what FTWT_TEST_DEVICE leaves. */
export function sessionDevices(): string[] {
  const only = process.env.FTWT_TEST_DEVICE;
  return only === undefined ? backendsUnderTest() : [only];
}

/** `native`, with each instruction set of this processor in turn. */
export function* eachInstructionSet(): Generator<string> {
  const { instructionSet, instructionSets } = binding.info();
  useBackend('native');
  try {
    for (const name of instructionSets) {
      binding.setInstructionSet(name);
      yield `native, ${name}`;
    }
  } finally {
    binding.setInstructionSet(instructionSet);
  }
}

/** One under sanitizers: they look for other faults than wrong orders, and take their time. */
const schedules: readonly Schedule[] =
  process.env.FTWT_TEST_SANITIZED === '1' ? ['random'] : ['forward', 'reverse', 'random', 'depth'];

/** The emulator, with each order of threads in turn: a missing barrier gives another result in one of them. */
export function* eachSchedule(): Generator<string> {
  useBackend('emulator');
  try {
    for (const order of schedules) {
      emulatorBinding().setSchedule(order);
      yield `emulator, ${order}`;
    }
  } finally {
    emulatorBinding().setSchedule('forward');
  }
}

/** Our backends start without waiting, so there is nothing to await. */
function useBackend(name: string): void {
  void tf.setBackend(name);
  assert.equal(tf.getBackend(), name, `backend ${name} does not start`);
}
