// 4 bytes per element. See map.cuh.
#include "ops/fill.h"

#include "cuda/map.cuh"

namespace ftwt::cuda {
namespace {

struct Constant {
  float value;
  __device__ float operator()(int64_t) const { return value; }
};

}  // namespace

void fill(const FillParams& p) { map(p.y, p.count, Constant{p.value}); }

}  // namespace ftwt::cuda
