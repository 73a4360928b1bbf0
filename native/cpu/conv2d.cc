// Forward: one indirect GEMM. Input gradient: the same kernel on dy with the filter transposed; with a stride, input
// pixels of one residue class (ih % stride_h, iw % stride_w) meet the same taps, so each class is a GEMM of its own and
// no multiplication by an inserted zero is ever made.
#include "ops/conv2d.h"

#include "cpu/conv2d_windows.h"
#include "cpu/gemm/gemm.h"
#include "cpu/scratch.h"

namespace ftwt::cpu {
namespace {

const float* pack(const PackParams& params) {
  float* packed = thread_floats(Scratch::Panels, packed_floats(params));
  pack_panels(params, packed);
  return packed;
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
