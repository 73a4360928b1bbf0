// Forward: one indirect GEMM. Input gradient: the same kernel on dy with the filter transposed; with a stride, input
// pixels of one residue class (ih % stride_h, iw % stride_w) meet the same taps, so each class is a GEMM of its own and
// no multiplication by an inserted zero is ever made.
#include "ops/conv2d.h"

#include <vector>

#include "cpu/gemm/gemm.h"
#include "cpu/scratch.h"

namespace ftwt::cpu {
namespace {

struct Taps {
  std::vector<int32_t> index, h, w;
};

Taps forward_taps(const Conv2dShape& s) {
  Taps taps;
  for (int64_t i = 0; i < s.kh; ++i) {
    for (int64_t j = 0; j < s.kw; ++j) {
      taps.h.push_back(static_cast<int32_t>(i * s.dilation_h - s.pad_top));
      taps.w.push_back(static_cast<int32_t>(j * s.dilation_w - s.pad_left));
    }
  }
  return taps;
}

// The taps through which dy reaches the input pixels (class_h + i * stride_h, class_w + j * stride_w), as moves of (i,
// j).
Taps backward_taps(const Conv2dShape& s, int64_t class_h, int64_t class_w) {
  Taps taps;
  for (int64_t i = 0; i < s.kh; ++i) {
    const int64_t h = class_h + s.pad_top - i * s.dilation_h;
    if (h % s.stride_h != 0) continue;
    for (int64_t j = 0; j < s.kw; ++j) {
      const int64_t w = class_w + s.pad_left - j * s.dilation_w;
      if (w % s.stride_w != 0) continue;
      taps.index.push_back(static_cast<int32_t>(i * s.kw + j));
      taps.h.push_back(static_cast<int32_t>(h / s.stride_h));
      taps.w.push_back(static_cast<int32_t>(w / s.stride_w));
    }
  }
  return taps;
}

const float* pack(const PackParams& params) {
  float* packed = thread_floats(Scratch::Panels, packed_floats(params));
  pack_panels(params, packed);
  return packed;
}

TapWindow input_window(const Conv2dShape& s, const float* x, const Taps& taps) {
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
          .taps = s.kh * s.kw,
          .tap_h = taps.h.data(),
          .tap_w = taps.w.data(),
          .depth = s.c_in};
}

}  // namespace

void conv2d(const Conv2dParams& p) {
  const Conv2dShape& s = p.shape;
  const Taps taps = forward_taps(s);
  const float* panels = pack({.filter = p.filter,
                              .taps = s.kh * s.kw,
                              .depth = s.c_in,
                              .columns = s.c_out,
                              .tap_stride = s.c_in * s.c_out,
                              .row_stride = s.c_out,
                              .column_stride = 1});
  run_gemm({.window = input_window(s, p.x, taps),
            .panels = panels,
            .columns = s.c_out,
            .output = {p.y, s.out_h * s.out_w * s.c_out, s.out_w * s.c_out, s.c_out},
            .bias = p.bias,
            .activation = p.activation});
}

void conv2d_backprop_input(const Conv2dBackpropInputParams& p) {
  const Conv2dShape& s = p.shape;
  for (int64_t class_h = 0; class_h < s.stride_h && class_h < s.h; ++class_h) {
    for (int64_t class_w = 0; class_w < s.stride_w && class_w < s.w; ++class_w) {
      const Taps taps = backward_taps(s, class_h, class_w);
      const auto count = static_cast<int64_t>(taps.index.size());
      const float* panels = pack({.filter = p.filter,
                                  .taps = count,
                                  .depth = s.c_out,
                                  .columns = s.c_in,
                                  .tap_stride = s.c_in * s.c_out,
                                  .row_stride = 1,
                                  .column_stride = s.c_out,
                                  .tap_list = taps.index.data()});
      run_gemm({.window = {.batch = s.n,
                           .grid_h = (s.h - class_h + s.stride_h - 1) / s.stride_h,
                           .grid_w = (s.w - class_w + s.stride_w - 1) / s.stride_w,
                           .source = p.dy,
                           .source_h = s.out_h,
                           .source_w = s.out_w,
                           .source_batch_stride = s.out_h * s.out_w * s.c_out,
                           .source_row_stride = s.out_w * s.c_out,
                           .source_pixel_stride = s.c_out,
                           .step_h = 1,
                           .step_w = 1,
                           .taps = count,
                           .tap_h = taps.h.data(),
                           .tap_w = taps.w.data(),
                           .depth = s.c_out},
                .panels = panels,
                .columns = s.c_in,
                .output = {p.dx + (class_h * s.w + class_w) * s.c_in, s.h * s.w * s.c_in, s.stride_h * s.w * s.c_in,
                           s.stride_w * s.c_in}});
    }
  }
}

void conv2d_backprop_filter(const Conv2dBackpropFilterParams& p) {
  const Conv2dShape& s = p.shape;
  const Taps taps = forward_taps(s);
  run_outer_gemm({.window = input_window(s, p.x, taps),
                  .dy = {p.dy, s.out_h * s.out_w * s.c_out, s.out_w * s.c_out, s.c_out},
                  .columns = s.c_out},
                 {.data = p.d_filter});
}

}  // namespace ftwt::cpu
