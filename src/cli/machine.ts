/** What a run ran on: for reports, and for `ftwt info`. */
import { cpus, totalmem } from 'node:os';
import * as tf from '@tensorflow/tfjs';
import { deviceInfo } from '../binding.js';
import type { MachineReport } from '../report/index.js';

/** Set the backend first. */
export function describeMachine(): MachineReport {
  const { instructionSet, threads, cuda } = deviceInfo();
  const processors = cpus();
  return {
    cpu: processors[0]?.model.trim() ?? process.arch,
    cores: processors.length,
    threads,
    instructionSet,
    memoryBytes: totalmem(),
    platform: `${process.platform} ${process.arch}`,
    node: process.versions.node,
    tfjs: tf.version.tfjs,
    backend: tf.getBackend(),
    gpus: cuda.devices.map(({ name }) => name),
  };
}
