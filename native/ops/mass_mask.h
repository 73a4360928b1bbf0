// Per sample, the most salient channels that together hold the share `mass` of the sample's saliency.
// The rule is in src/ops/massMask.ts.
#pragma once
#include "ops/common.h"

namespace ftwt {

struct MassMaskParams {
  const float* saliency;  // [n, c]
  float* mask;            // [n, c], 0 or 1
  int64_t n, c;
  double mass;  // in (0, 1]; negative keeps all
  int64_t min_active;
  bool include_crossing;
};

namespace cpu {
void mass_mask(const MassMaskParams& params);
}

namespace cuda {
void mass_mask(const MassMaskParams& params);
}

}  // namespace ftwt
