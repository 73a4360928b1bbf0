// Per sample, the `count` most salient channels without the dead ones. The rule is in src/ops/topKMask.ts.
#pragma once
#include "ops/common.h"

namespace ftwt {

struct TopKMaskParams {
  const float* saliency;  // [n, c]
  float* mask;            // [n, c], 0 or 1
  int64_t n, c;
  int64_t count, min_active;
};

namespace cpu {
void top_k_mask(const TopKMaskParams& params);
}

namespace cuda {
void top_k_mask(const TopKMaskParams& params);
}

}  // namespace ftwt
