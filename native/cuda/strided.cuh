// Offsets into two strided arrays. 32-bit: a division of 64-bit integers takes as long as ten memory instructions
// issue.
#pragma once
#include "cuda/device.cuh"
#include "ops/strided.h"

namespace ftwt::cuda {

struct DeviceNest {
  int rank;
  uint32_t size[StridedDims::kMaxRank];
  int64_t a[StridedDims::kMaxRank];
  int64_t b[StridedDims::kMaxRank];

  // dims.count() is below 2^32.
  explicit DeviceNest(const StridedDims& dims) : rank(dims.rank) {
    for (int d = 0; d < rank; ++d) {
      size[d] = static_cast<uint32_t>(dims.size[d]);
      a[d] = dims.a[d];
      b[d] = dims.b[d];
    }
  }

  // Of the `index`-th element in row-major order.
  __device__ void offsets(uint32_t index, int64_t* a_offset, int64_t* b_offset) const {
    int64_t at_a = 0, at_b = 0;
    for (int d = rank - 1; d > 0; --d) {
      const uint32_t rest = index / size[d];
      const uint32_t i = index - rest * size[d];
      at_a += i * a[d];
      at_b += i * b[d];
      index = rest;
    }
    *a_offset = at_a + index * a[0];
    *b_offset = at_b + index * b[0];
  }
};

}  // namespace ftwt::cuda
