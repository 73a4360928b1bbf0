/** Saliency and the mask rules (src/ops). Their public functions have checked the inputs. */
import type { NativeKernel } from './types.js';

export interface MassMaskAttrs {
  mass: number;
  minActive: number;
  crossing: 'exclude' | 'include';
}

export interface TopKMaskAttrs {
  /** How many channels of a sample are active at most. */
  count: number;
  minActive: number;
}

const channelSaliency: NativeKernel = {
  kernelName: 'ChannelSaliency',
  run({ inputs: { x }, backend }) {
    const [n, h, w, c] = x.shape;
    const saliency = backend.output([n, c]);
    backend.ops.channelSaliency({
      x: backend.floats(x),
      saliency: saliency.values,
      n,
      pixels: h * w,
      c,
    });
    return saliency.info;
  },
};

const massMask: NativeKernel = {
  kernelName: 'MassMask',
  run({ inputs: { saliency }, attrs, backend }) {
    const { mass, minActive, crossing } = attrs as unknown as MassMaskAttrs;
    const [n, c] = saliency.shape;
    const mask = backend.output([n, c]);
    backend.ops.massMask({
      saliency: backend.floats(saliency),
      mask: mask.values,
      n,
      c,
      mass,
      minActive,
      includeCrossing: crossing === 'include',
    });
    return mask.info;
  },
};

const topKMask: NativeKernel = {
  kernelName: 'TopKMask',
  run({ inputs: { saliency }, attrs, backend }) {
    const { count, minActive } = attrs as unknown as TopKMaskAttrs;
    const [n, c] = saliency.shape;
    const mask = backend.output([n, c]);
    backend.ops.topKMask({
      saliency: backend.floats(saliency),
      mask: mask.values,
      n,
      c,
      count,
      minActive,
    });
    return mask.info;
  },
};

export const maskKernels: NativeKernel[] = [channelSaliency, massMask, topKMask];
