// How a convolution and its gradients look to the GEMM: which filter taps meet which source pixels.
#pragma once
#include <cstdint>
#include <vector>

#include "cpu/gemm/gemm.h"
#include "ops/conv2d.h"

namespace ftwt::cpu {

struct Taps {
  std::vector<int32_t> index;  // into the filter's taps; empty: all of them in order
  std::vector<int32_t> h, w;   // moves in the source
  int64_t size() const { return static_cast<int64_t>(h.size()); }
};

inline Taps forward_taps(const Conv2dShape& s) {
  Taps taps;
  for (int64_t i = 0; i < s.kh; ++i) {
    for (int64_t j = 0; j < s.kw; ++j) {
      taps.h.push_back(static_cast<int32_t>(i * s.dilation_h - s.pad_top));
      taps.w.push_back(static_cast<int32_t>(j * s.dilation_w - s.pad_left));
    }
  }
  return taps;
}

// x as the source of the output pixels.
inline TapWindow input_window(const Conv2dShape& s, const float* x, const Taps& taps) {
  return {.batch = s.n,
          .grid_h = s.out_h,
          .grid_w = s.out_w,
          .source = x,
          .source_h = s.h,
          .source_w = s.w,
          .source_batch_stride = s.h * s.w * s.c_in,
          .source_row_stride = s.w * s.c_in,
          .source_pixel_stride = s.c_in,
          .step_h = s.stride_h,
          .step_w = s.stride_w,
          .taps = taps.size(),
          .tap_h = taps.h.data(),
          .tap_w = taps.w.data(),
          .depth = s.c_in};
}

// Rows of y or dy.
template <typename Float>
PixelRows<Float> output_rows(const Conv2dShape& s, Float* y) {
  return {y, s.out_h * s.out_w * s.c_out, s.out_w * s.c_out, s.c_out};
}

// With a stride, the input pixels (h + i * stride_h, w + j * stride_w) of one residue class meet the same taps.
struct InputClass {
  int64_t h, w;
};

inline std::vector<InputClass> input_classes(const Conv2dShape& s) {
  std::vector<InputClass> classes;
  for (int64_t h = 0; h < s.stride_h && h < s.h; ++h) {
    for (int64_t w = 0; w < s.stride_w && w < s.w; ++w) classes.push_back({h, w});
  }
  return classes;
}

// The taps through which dy reaches the input pixels of a class, as moves of (i, j).
inline Taps backward_taps(const Conv2dShape& s, const InputClass& at) {
  Taps taps;
  for (int64_t i = 0; i < s.kh; ++i) {
    const int64_t h = at.h + s.pad_top - i * s.dilation_h;
    if (h % s.stride_h != 0) continue;
    for (int64_t j = 0; j < s.kw; ++j) {
      const int64_t w = at.w + s.pad_left - j * s.dilation_w;
      if (w % s.stride_w != 0) continue;
      taps.index.push_back(static_cast<int32_t>(i * s.kw + j));
      taps.h.push_back(static_cast<int32_t>(h / s.stride_h));
      taps.w.push_back(static_cast<int32_t>(w / s.stride_w));
    }
  }
  return taps;
}

// dy as the source of the input pixels of a class.
inline TapWindow gradient_window(const Conv2dShape& s, const float* dy, const InputClass& at, const Taps& taps) {
  return {.batch = s.n,
          .grid_h = (s.h - at.h + s.stride_h - 1) / s.stride_h,
          .grid_w = (s.w - at.w + s.stride_w - 1) / s.stride_w,
          .source = dy,
          .source_h = s.out_h,
          .source_w = s.out_w,
          .source_batch_stride = s.out_h * s.out_w * s.c_out,
          .source_row_stride = s.out_w * s.c_out,
          .source_pixel_stride = s.c_out,
          .step_h = 1,
          .step_w = 1,
          .taps = taps.size(),
          .tap_h = taps.h.data(),
          .tap_w = taps.w.data(),
          .depth = s.c_out};
}

// Rows of dx of a class.
inline PixelRows<float> class_rows(const Conv2dShape& s, float* dx, const InputClass& at) {
  return {dx + (at.h * s.w + at.w) * s.c_in, s.h * s.w * s.c_in, s.stride_h * s.w * s.c_in, s.stride_w * s.c_in};
}

}  // namespace ftwt::cpu
