// Activations that kernels apply while they write. NaN passes, as on the host.
#pragma once
#include <cuda_runtime.h>

#include "ops/activation.h"

namespace ftwt::cuda {

__device__ __forceinline__ float activate(float v, Activation activation) {
  if (activation == Activation::Linear) return v;
  v = v < 0.0f ? 0.0f : v;
  return activation == Activation::Relu6 && v > 6.0f ? 6.0f : v;
}

}  // namespace ftwt::cuda
