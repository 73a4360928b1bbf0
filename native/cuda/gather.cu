// Rows by index: 8 bytes per element, coalesced where a row has 32 floats or more. See map.cuh.
#include "ops/gather.h"

#include "cuda/map.cuh"

namespace ftwt::cuda {
namespace {

struct Gather {
  const float* x;
  const int32_t* indices;
  int64_t size, inner, count;
  __device__ float operator()(int64_t i) const {
    const int64_t row = i / inner;
    const int64_t outer = row / count;
    const int32_t index = indices[row - outer * count];
    if (index < 0 || index >= size) return nanf("");
    return x[(outer * size + index) * inner + (i - row * inner)];
  }
};

}  // namespace

void gather(const GatherParams& p) {
  map(p.y, p.outer * p.count * p.inner, Gather{p.x, p.indices, p.size, p.inner, p.count});
}

}  // namespace ftwt::cuda
