// y = conv2d(x * input_mask, filter) * output_mask, sample by sample, and its gradients; masked channels are skipped.
// A channel is active where its mask is above 0.
#pragma once
#include "ops/conv2d.h"

namespace ftwt {

struct ChannelMasks {
  const float* input;   // [n, c_in]
  const float* output;  // [n, c_out]
};

struct ChannelSparseConv2dParams {
  Conv2dShape shape;
  ChannelMasks masks;
  const float* x;       // [n, h, w, c_in]
  const float* filter;  // [kh, kw, c_in, c_out]
  float* y;             // [n, out_h, out_w, c_out]
};

struct ChannelSparseConv2dBackpropInputParams {
  Conv2dShape shape;
  ChannelMasks masks;
  const float* dy;      // [n, out_h, out_w, c_out]
  const float* filter;  // [kh, kw, c_in, c_out]
  float* dx;            // [n, h, w, c_in]
};

struct ChannelSparseConv2dBackpropFilterParams {
  Conv2dShape shape;
  ChannelMasks masks;
  const float* x;   // [n, h, w, c_in]
  const float* dy;  // [n, out_h, out_w, c_out]
  float* d_filter;  // [kh, kw, c_in, c_out]
};

namespace cpu {
void channel_sparse_conv2d(const ChannelSparseConv2dParams& params);
void channel_sparse_conv2d_backprop_input(const ChannelSparseConv2dBackpropInputParams& params);
void channel_sparse_conv2d_backprop_filter(const ChannelSparseConv2dBackpropFilterParams& params);
}  // namespace cpu

namespace cuda {
void channel_sparse_conv2d(const ChannelSparseConv2dParams& params);
void channel_sparse_conv2d_backprop_input(const ChannelSparseConv2dBackpropInputParams& params);
void channel_sparse_conv2d_backprop_filter(const ChannelSparseConv2dBackpropFilterParams& params);
}  // namespace cuda

}  // namespace ftwt
