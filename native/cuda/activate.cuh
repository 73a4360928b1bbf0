// Activations that kernels apply while they write. NaN passes, as on the host.
#pragma once
#include <cuda_runtime.h>

#include "ops/activation.h"

namespace ftwt::cuda {

// Without branches: the activation is the same for all threads, its bounds are constants.
__device__ __forceinline__ float activate(float z, Activation activation) {
  const float low = activation == Activation::Linear ? -INFINITY : 0.0f;
  const float high = activation == Activation::Relu6 ? 6.0f : INFINITY;
  return z < low ? low : z > high ? high : z;
}

// Whether a gradient passes the activation at z.
__device__ __forceinline__ bool passes(float z, Activation activation) {
  const float high = activation == Activation::Relu6 ? 6.0f : INFINITY;
  return (activation == Activation::Linear) | ((z > 0.0f) & (z <= high));
}

}  // namespace ftwt::cuda
