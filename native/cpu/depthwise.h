// The vectorised halves of the depthwise kernels: vectors run over channels, one filter tap per channel.
#pragma once
#include "cpu/dispatch.h"
#include "ops/conv2d.h"

namespace ftwt::cpu {

// For each index of one output axis, the source indices it sums and the filter taps they meet.
struct AxisTaps {
  const int32_t* first;   // [size + 1], into the next two
  const int32_t* source;  // index on the source axis
  const int32_t* tap;     // index on the filter axis
};

// output[pixel, c] = activation(bias[c] + sum over the taps of a pixel: source[..., c] * filter[tap, c]), all with the
// same number of channels. The input gradient is this as well, with dy as the source.
struct DepthwiseSum {
  const float* source;  // [n, source_h, source_w, c]
  int64_t source_h, source_w;
  const float* filter;  // [kh, kw, c]
  int64_t kh, kw;
  const float* bias;  // [c], or nullptr
  Activation activation;
  float* output;  // [n, output_h, output_w, c]
  int64_t n, output_h, output_w, c;
  AxisTaps rows, columns;
};

}  // namespace ftwt::cpu

// Output rows [begin, end) of n * output_h; `pairs` is memory for 2 * kh * kw pointers.
FTWT_DECLARE_KERNEL(void depthwise_rows(const ftwt::cpu::DepthwiseSum& sum, int64_t begin, int64_t end,
                                        const float** pairs);
                    void depthwise_filter_rows(const ftwt::Conv2dShape& shape, const float* x, const float* dy,
                                               int64_t begin, int64_t end, float* d_filter))
