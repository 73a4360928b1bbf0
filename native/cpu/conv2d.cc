// Forward: one indirect GEMM. Input gradient: the same kernel on dy with the filter transposed; with a stride, input
// pixels of one residue class (ih % stride_h, iw % stride_w) meet the same taps, so each class is a GEMM of its own and
// no multiplication by an inserted zero is ever made. Images with few channels would leave most lanes of that GEMM
// idle: there the taps become columns of one plain product per sample, whose results are then added where they belong.
#include "ops/conv2d.h"

#include "cpu/conv2d_windows.h"
#include "cpu/gemm/gemm.h"
#include "cpu/scratch.h"
#include "cpu/thread_pool.h"

#include <algorithm>

namespace ftwt::cpu {
namespace {

// Input channels up to which the taps become columns of the input gradient's product.
constexpr int64_t kFewChannels = 4;

const float* pack(const PackParams& params) {
  float* packed = thread_floats(Scratch::Panels, packed_floats(params));
  pack_panels(params, packed);
  return packed;
}

// First o >= 0 with o * stride + offset >= 0.
int64_t first_inside(int64_t offset, int64_t stride) { return offset >= 0 ? 0 : (-offset + stride - 1) / stride; }

// dx[h, w, c_in] += products [out_h * out_w, kh * kw * c_in], each row spread over the window of its output pixel.
void add_windows(const Conv2dShape& s, const float* products, float* dx) {
  const int64_t columns = s.kh * s.kw * s.c_in;
  for (int64_t i = 0; i < s.kh; ++i) {
    for (int64_t j = 0; j < s.kw; ++j) {
      const int64_t move_h = i * s.dilation_h - s.pad_top;
      const int64_t move_w = j * s.dilation_w - s.pad_left;
      const float* const tap = products + (i * s.kw + j) * s.c_in;
      for (int64_t oh = first_inside(move_h, s.stride_h); oh < s.out_h && oh * s.stride_h + move_h < s.h; ++oh) {
        float* const row = dx + (oh * s.stride_h + move_h) * s.w * s.c_in;
        for (int64_t ow = first_inside(move_w, s.stride_w); ow < s.out_w && ow * s.stride_w + move_w < s.w; ++ow) {
          float* const pixel = row + (ow * s.stride_w + move_w) * s.c_in;
          const float* const product = tap + (oh * s.out_w + ow) * columns;
          for (int64_t c = 0; c < s.c_in; ++c) pixel[c] += product[c];
        }
      }
    }
  }
}

void backprop_few_channels(const Conv2dBackpropInputParams& p) {
  const Conv2dShape& s = p.shape;
  const int64_t columns = s.kh * s.kw * s.c_in;
  const int64_t pixels = s.out_h * s.out_w;
  const float* panels = pack({.filter = p.filter,
                              .taps = 1,
                              .depth = s.c_out,
                              .columns = columns,
                              .tap_stride = 0,
                              .row_stride = 1,
                              .column_stride = s.c_out});
  const int32_t no_move = 0;
  const TapWindow window = {.batch = 1,
                            .grid_h = s.out_h,
                            .grid_w = s.out_w,
                            .source = nullptr,
                            .source_h = s.out_h,
                            .source_w = s.out_w,
                            .source_batch_stride = pixels * s.c_out,
                            .source_row_stride = s.out_w * s.c_out,
                            .source_pixel_stride = s.c_out,
                            .step_h = 1,
                            .step_w = 1,
                            .taps = 1,
                            .tap_h = &no_move,
                            .tap_w = &no_move,
                            .depth = s.c_out};
  parallel_for(s.n, 1, [&](int64_t begin, int64_t end, int) {
    float* products = thread_floats(Scratch::Columns, static_cast<std::size_t>(pixels * columns));
    for (int64_t b = begin; b < end; ++b) {
      IndirectGemm gemm = {.window = window,
                           .panels = panels,
                           .columns = columns,
                           .output = {products, pixels * columns, s.out_w * columns, columns}};
      gemm.window.source = p.dy + b * pixels * s.c_out;
      run_gemm_range(gemm, 0, pixels, 0, panel_layout(columns).panels);
      float* dx = p.dx + b * s.h * s.w * s.c_in;
      std::fill_n(dx, s.h * s.w * s.c_in, 0.0f);
      add_windows(s, products, dx);
    }
  });
}

}  // namespace

void conv2d(const Conv2dParams& p) {
  const Conv2dShape& s = p.shape;
  const Taps taps = forward_taps(s);
  const float* panels = pack({.filter = p.filter,
                              .taps = taps.size(),
                              .depth = s.c_in,
                              .columns = s.c_out,
                              .tap_stride = s.c_in * s.c_out,
                              .row_stride = s.c_out,
                              .column_stride = 1});
  run_gemm({.window = input_window(s, p.x, taps),
            .panels = panels,
            .columns = s.c_out,
            .output = output_rows(s, p.y),
            .bias = p.bias,
            .activation = p.activation});
}

void conv2d_backprop_input(const Conv2dBackpropInputParams& p) {
  const Conv2dShape& s = p.shape;
  if (s.c_in <= kFewChannels) return backprop_few_channels(p);
  for (const InputClass& at : input_classes(s)) {
    const Taps taps = backward_taps(s, at);
    const float* panels = pack({.filter = p.filter,
                                .taps = taps.size(),
                                .depth = s.c_out,
                                .columns = s.c_in,
                                .tap_stride = s.c_in * s.c_out,
                                .row_stride = 1,
                                .column_stride = s.c_out,
                                .tap_list = taps.index.data()});
    run_gemm({.window = gradient_window(s, p.dy, at, taps),
              .panels = panels,
              .columns = s.c_in,
              .output = class_rows(s, p.dx, at)});
  }
}

void conv2d_backprop_filter(const Conv2dBackpropFilterParams& p) {
  const Conv2dShape& s = p.shape;
  const Taps taps = forward_taps(s);
  run_outer_gemm({.window = input_window(s, p.x, taps), .dy = output_rows(s, p.dy), .columns = s.c_out},
                 {.data = p.d_filter});
}

}  // namespace ftwt::cpu
