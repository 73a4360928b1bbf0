// y[o, i] = x[o, indices[i]]; NaN where an index is outside of x.
#pragma once
#include "ops/common.h"

namespace ftwt {

struct GatherParams {
  const float* x;          // [outer, size, inner]
  const int32_t* indices;  // [count]
  float* y;                // [outer, count, inner]
  int64_t outer, size, inner, count;
};

namespace cpu {
void gather(const GatherParams& params);
}

namespace cuda {
void gather(const GatherParams& params);
}  // namespace cuda

}  // namespace ftwt
