/** What one run leaves behind: the content of `report.json`, and all that `report.html` shows. */

import type { SpeedResults } from '../timing/speed.js';

/** FLOPs reductions against the dense network, from 0 to 1 (see the README for how the two are counted). */
export interface MacsReduction {
  /** Counted as the paper does. */
  published: number;
  /** Only what a kernel can really skip, predictor heads included. */
  skippable: number;
}

export interface EpochReport {
  /** From 1, within its own training. */
  epoch: number;
  learningRate: number;
  /** Mean cross entropy over the epoch's training images, with label smoothing if the run has any. */
  taskLoss: number;
  /** Mean mask loss over the epoch, before its weight; dynamic training only. */
  maskLoss?: number;
  /** From 0 to 1, on the (augmented) training images as they came. */
  trainAccuracy?: number;
  testLoss?: number;
  testAccuracy?: number;
  /** Measured on the test images after the epoch; dynamic training only. */
  macsReduction?: MacsReduction;
  /** Mean over layers, from 0 to 1: share of active channels in the predicted masks; dynamic training only. */
  keepRatio?: number;
  /** Mean over layers, from 0 to 1: share of channels whose predicted mask is the target mask; dynamic training only. */
  maskAccuracy?: number;
  seconds: number;
}

export interface LayerReport {
  name: string;
  channels: number;
  /** Of the dense layer, for one image. */
  macs: number;
  /** Mean share of active channels, from 0 to 1: estimated before dynamic training, and measured on the test images. */
  keepRatio: { estimated: number; measured: number };
}

/** How often each channel of a layer is active for each class. */
export interface FiringReport {
  layer: string;
  /** [classes][channels], from 0 to 1. */
  rates: number[][];
}

export interface SampleReport {
  /** Position in the test set. */
  index: number;
  label: number;
  predicted: number;
  /** Multiply-accumulates really needed for this image. */
  macs: number;
  /** The image as a PNG, base64. */
  png: string;
}

/** Images per second of both networks and of ONNX Runtime: same machine, same images, by turns. */
export interface SpeedReport extends SpeedResults {
  /** Of the sessions. */
  device: string;
  /** In the order of the tables; one that could not be timed has no rows. */
  contenders: string[];
  batches: number[];
  /** Why something has no rows. */
  remark: string | null;
}

export interface MachineReport {
  cpu: string;
  cores: number;
  threads: number;
  instructionSet: string;
  memoryBytes: number;
  platform: string;
  node: string;
  tfjs: string;
  backend: string;
  gpus: string[];
}

export interface RunReport {
  name: string;
  /** ISO 8601. */
  created: string;
  /** Of this package. */
  version: string;
  /** Of the checkout that ran, `null` for an installed package. */
  commit: string | null;
  data: {
    name: string;
    classes: string[];
    trainCount: number;
    testCount: number;
    /** [h, w, c] */
    shape: number[];
  };
  model: string;
  dense: {
    accuracy: number;
    loss: number;
    /** Multiply-accumulates for one image. */
    macs: number;
    parameters: number;
    history: EpochReport[];
  };
  estimated: { mass: number; calibrationImages: number; macsReduction: MacsReduction };
  dynamic: {
    accuracy: number;
    loss: number;
    mass: number;
    mode: string;
    /** Multiply-accumulates for the average test image, counted as `skippable` is. */
    macs: number;
    macsReduction: MacsReduction;
    history: EpochReport[];
  };
  layers: LayerReport[];
  firing: FiringReport[];
  /** `null` where it was not measured. */
  speed: SpeedReport | null;
  /** Of the test images: the cheapest and the most expensive ones of the dynamic network. */
  samples: { cheapest: SampleReport[]; costliest: SampleReport[] };
  settings: Record<string, string | number | boolean | null>;
  seconds: { total: number; [phase: string]: number };
  machine: MachineReport;
}
