// Depthwise 2-D convolution (tfjs DepthwiseConv2dNative, FusedDepthwiseConv2D) and its two gradients.
// c_out = c_in * multiplier; output channel c reads input channel c / multiplier.
#pragma once
#include "ops/conv2d.h"

namespace ftwt {

struct DepthwiseConv2dParams {
  Conv2dShape shape;
  const float* x;       // [n, h, w, c_in]
  const float* filter;  // [kh, kw, c_in, multiplier]
  const float* bias;    // [c_out], or nullptr
  Activation activation;
  float* y;  // [n, out_h, out_w, c_out]
};

struct DepthwiseConv2dBackpropInputParams {
  Conv2dShape shape;
  const float* dy;      // [n, out_h, out_w, c_out]
  const float* filter;  // [kh, kw, c_in, multiplier]
  float* dx;            // [n, h, w, c_in]
};

struct DepthwiseConv2dBackpropFilterParams {
  Conv2dShape shape;
  const float* x;   // [n, h, w, c_in]
  const float* dy;  // [n, out_h, out_w, c_out]
  float* d_filter;  // [kh, kw, c_in, multiplier]
};

namespace cpu {
void depthwise_conv2d(const DepthwiseConv2dParams& params);
void depthwise_conv2d_backprop_input(const DepthwiseConv2dBackpropInputParams& params);
void depthwise_conv2d_backprop_filter(const DepthwiseConv2dBackpropFilterParams& params);
}  // namespace cpu

namespace cuda {
void depthwise_conv2d(const DepthwiseConv2dParams& params);
void depthwise_conv2d_backprop_input(const DepthwiseConv2dBackpropInputParams& params);
void depthwise_conv2d_backprop_filter(const DepthwiseConv2dBackpropFilterParams& params);
}  // namespace cuda

}  // namespace ftwt
