// Two-dimensional pooling, NHWC. Cells of a window that lie in the padding count for nothing.
#pragma once
#include "ops/common.h"

namespace ftwt {

struct PoolParams {
  bool average;    // otherwise the maximum: NaN is ignored
  const float* x;  // [n, h, w, c]
  float* y;        // [n, out_h, out_w, c]
  int64_t n, h, w, c;
  int64_t out_h, out_w;
  int64_t window_h, window_w, stride_h, stride_w;
  int64_t pad_top, pad_left;
};

// The gradient of a maximum goes to the first cell that has it.
struct PoolGradParams {
  PoolParams forward;  // x and y are read by the maximum only, else nullptr
  const float* dy;     // [n, out_h, out_w, c]
  float* dx;           // [n, h, w, c]
};

namespace cpu {
void pool(const PoolParams& params);
void pool_grad(const PoolGradParams& params);
}  // namespace cpu

namespace cuda {
void pool(const PoolParams& params);
void pool_grad(const PoolGradParams& params);
}  // namespace cuda

}  // namespace ftwt
