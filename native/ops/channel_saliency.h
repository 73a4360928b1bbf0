// saliency[n, c] = max over the pixels of |x|; NaN where any of them is NaN.
#pragma once
#include "ops/common.h"

namespace ftwt {

struct ChannelSaliencyParams {
  const float* x;   // [n, pixels, c]
  float* saliency;  // [n, c]
  int64_t n, pixels, c;
};

namespace cpu {
void channel_saliency(const ChannelSaliencyParams& params);
}

namespace cuda {
void channel_saliency(const ChannelSaliencyParams& params);
}

}  // namespace ftwt
