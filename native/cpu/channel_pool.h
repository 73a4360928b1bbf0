// Pooling of whole channels: [pixels, c] to [c], and the way back.
#pragma once
#include "cpu/dispatch.h"

namespace ftwt::cpu {

enum class ChannelPool : int { MaxAbs, Max, Average };

// Channels are split into blocks of this many, so that a block of one pixel is a few cache lines.
constexpr int64_t kPoolBlock = 64;

}  // namespace ftwt::cpu

// y[i] = pool over the pixels of x[pixel * stride + i], i < count. A NaN makes the result NaN.
// scatter_pooled: dx[pixel * stride + i] = dy[i] at the first pixel with the maximum, else 0 (Max); dy[i] / pixels
// (Average).
FTWT_DECLARE_KERNEL(void pool_channels(ftwt::cpu::ChannelPool pool, const float* x, int64_t pixels, int64_t stride,
                                       int64_t count, float* y);
                    void scatter_pooled(ftwt::cpu::ChannelPool pool, const float* dy, const float* x, int64_t pixels,
                                        int64_t stride, int64_t count, float* dx))
