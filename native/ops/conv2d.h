// 2-D convolution (tfjs Conv2D, FusedConv2D) and its two gradients.
#pragma once
#include "ops/activation.h"
#include "ops/common.h"

namespace ftwt {

// Output pixel (oh, ow) and tap (kh, kw) meet input pixel (oh * stride_h - pad_top + kh * dilation_h, ...).
struct Conv2dShape {
  int64_t n, h, w, c_in;
  int64_t kh, kw, c_out;
  int64_t out_h, out_w;
  int64_t stride_h, stride_w;  // >= 1
  int64_t pad_top, pad_left;
  int64_t dilation_h, dilation_w;  // >= 1
};

struct Conv2dParams {
  Conv2dShape shape;
  const float* x;       // [n, h, w, c_in]
  const float* filter;  // [kh, kw, c_in, c_out]
  const float* bias;    // [c_out], or nullptr
  Activation activation;
  float* y;  // [n, out_h, out_w, c_out]
};

struct Conv2dBackpropInputParams {
  Conv2dShape shape;
  const float* dy;      // [n, out_h, out_w, c_out]
  const float* filter;  // [kh, kw, c_in, c_out]
  float* dx;            // [n, h, w, c_in]
};

struct Conv2dBackpropFilterParams {
  Conv2dShape shape;
  const float* x;   // [n, h, w, c_in]
  const float* dy;  // [n, out_h, out_w, c_out]
  float* d_filter;  // [kh, kw, c_in, c_out]
};

namespace cpu {
void conv2d(const Conv2dParams& params);
void conv2d_backprop_input(const Conv2dBackpropInputParams& params);
void conv2d_backprop_filter(const Conv2dBackpropFilterParams& params);
}  // namespace cpu

namespace cuda {
void conv2d(const Conv2dParams& params);
void conv2d_backprop_input(const Conv2dBackpropInputParams& params);
void conv2d_backprop_filter(const Conv2dBackpropFilterParams& params);
}  // namespace cuda

}  // namespace ftwt
