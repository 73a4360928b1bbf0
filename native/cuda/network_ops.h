// The ops of compiled networks (native/session): with weights prepared once, all that follows a convolution in its
// launch, and activations packed to the active channels. They queue on the context in use. No CUDA include.
#pragma once
#include <cstdint>

#include "ops/activation.h"
#include "ops/conv2d.h"

namespace ftwt::cuda {

// Which channels of each sample are active; on the device.
struct ActiveView {
  const int32_t* lists;  // [n, c]: the active channels of each sample, ascending; what follows them is not written
  const int32_t* ranks;  // [n, c + 1]: how many channels below each one are active
  int c;
  bool shared;  // one list and one row of ranks for all samples
};

// Packed pixels hold this multiple of channels; what exceeds the active ones is zero.
constexpr int kPackedChannels = 4;

// An array [n, pixels, c] in which all other channels than the active ones are zero. Packed: sample i, from
// i * pixels * packed_channels(c) on, is [pixels, packed_channels(active count)], its active channels in their order.
struct Activations {
  float* data;
  ActiveView active;
  bool packed;
};

// y = activation(conv2d(x, filter) + bias + residual).
struct DenseConvolution {
  Conv2dShape shape;
  const float* x;         // [n, h, w, c_in]
  const float* filter;    // [kh, kw, c_in, c_out], c_in and c_out padded with zeros to multiples of 4
  const float* bias;      // [c_out], or nullptr
  const float* residual;  // [n, out_h, out_w, c_out], or nullptr
  Activation activation;
  bool steady;  // sums run in the same order for every n
  float* y;     // [n, out_h, out_w, c_out]
};
void dense_convolution(const DenseConvolution& params);

// Of y's active channels activation(conv2d(x, filter) + bias + residual), of the others activation(residual) or 0. The
// order of the sums does not depend on n.
struct SparseConvolution {
  Conv2dShape shape;
  Activations x;
  const float* filter;    // [kh, kw, c_in, c_out]; rounded to TF32 where that is the precision
  const float* bias;      // [c_out], or nullptr
  const float* residual;  // [n, out_h, out_w, c_out], or nullptr; y is not packed then
  Activation activation;
  Activations y;
};
void sparse_convolution(const SparseConvolution& params);

// Depthwise convolution: of y's active channels activation(sum + bias), of the others 0.
struct SparseDepthwise {
  Conv2dShape shape;  // c_out = c_in * multiplier
  Activations x;
  const float* filter;  // [kh, kw, c_out]
  const float* bias;    // [c_out], or nullptr
  Activation activation;
  Activations y;
};
void sparse_depthwise(const SparseDepthwise& params);

// Maximum or average over windows; cells in the padding count for nothing. y's active channels are x's.
struct SparsePool {
  Conv2dShape shape;
  Activations x;
  bool average;
  Activations y;
};
void sparse_pool(const SparsePool& params);

// Where the lists of active channels go, and what else is to be known of them.
struct ActiveOutput {
  int32_t* lists;   // as in ActiveView
  int32_t* ranks;   // as in ActiveView
  int32_t* counts;  // of sample i at i * count_stride
  int64_t count_stride;
  uint8_t* masks;         // [c] of sample i from i * mask_stride on, 1 = active
  const uint8_t* forced;  // as `masks`: taken in place of what is predicted; or nullptr
  int64_t mask_stride;
};

// Lists the channels in which dense(softmax(pool(x))) + bias > 0. No sum depends on n.
struct GatePredictor {
  int64_t n, pixels, c_out;
  Activations x;         // [n, pixels, c_in]
  const float* weights;  // [c_in, c_out]
  const float* bias;     // [c_out]
  bool average;          // else maximum
  bool softmax;
  ActiveOutput y;
};
void predict_gate(const GatePredictor& params);

// Maximum or average over the pixels. No sum depends on n.
struct GlobalPool {
  int64_t n, pixels;
  Activations x;  // [n, pixels, c]
  bool average;
  float* y;  // [n, c]
};
void global_pool(const GlobalPool& params);

// In place, of y [n, pixels, c]: the activation in the active channels, 0 in the others.
struct GateChannels {
  int64_t n, pixels;
  float* y;
  ActiveView active;
  Activation activation;
};
void gate_channels(const GateChannels& params);

}  // namespace ftwt::cuda
