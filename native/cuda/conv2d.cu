// Convolution and its gradients on the tiled GEMM of cuda/gemm, without a copy of the windows in memory: the loaders
// compute where the pixels of a tile meet the source and fill in zeros outside.
//   forward          rows = output pixels, sum over (tap, c_in),   A = windows of x,  B = filter
//   input gradient   rows = input pixels,  sum over (tap, c_out),  A = windows of dy, B = filter with its columns
//                    transposed. With a stride the pixels of one residue class (h % stride_h, w % stride_w) meet the
//                    same taps, so that nothing is multiplied by inserted zeros; up to four classes share a launch
//   filter gradient  rows = (tap, c_in),   sum over output pixels, A = windows of x,  B = dy
//
// Launch: one block for each tile of 128 x 128 down to 128 x 32 sums, times the splits of the sum, which fill the
// device where there are few tiles (a filter gradient has few rows and a long sum); a second kernel adds the splits in
// order. Memory: x is read once for each tap and column of tiles, mostly from the second-level cache, the filter once
// for each row of tiles, y written once. n out_h out_w kh kw c_in c_out MACs each. Limits at the rates of an H100: 67
// TFLOP/s in float32, about 175 in TF32 (cuda/gemm/tf32.cu); first layers and 1x1 filters of few channels by y's and
// x's bytes at 3.35 TB/s.
//
// Hazards: channels that are no multiple of four are copied to padded pixels first (aligned.h); a first layer of one
// channel computes four. Input gradients of images with 3 channels compute 32 columns for 3.
#include "ops/conv2d.h"

#include <algorithm>
#include <numeric>

#include "cuda/gemm/aligned.h"
#include "cuda/gemm/gemm.h"
#include "cuda/network_ops.h"

namespace ftwt::cuda {
namespace {

int64_t input_pixels(const Conv2dShape& s) { return s.n * s.h * s.w; }
int64_t output_pixels(const Conv2dShape& s) { return s.n * s.out_h * s.out_w; }
int64_t tap_count(const Conv2dShape& s) { return s.kh * s.kw; }

GemmProblem single_product() {
  GemmProblem gemm = {};
  gemm.splittable = true;
  gemm.part_count = 1;
  gemm.batch = gemm.a_batch = gemm.b_batch = 1;
  return gemm;
}

// x, of c padded channels, as the output pixels see it.
Window input_window(const Conv2dShape& s, const float* x, int64_t c) {
  return {x,
          s.n,
          gemm_size(s.h),
          gemm_size(s.w),
          gemm_size(c),
          gemm_size(s.stride_h),
          gemm_size(s.stride_w),
          gemm_size(s.dilation_h),
          gemm_size(s.dilation_w)};
}

GemmPart output_grid(const Conv2dShape& s, int64_t rows, int64_t depth) {
  return {rows,
          depth,
          gemm_size(s.out_h),
          gemm_size(s.out_w),
          -gemm_size(s.pad_top),
          -gemm_size(s.pad_left),
          gemm_size(s.kh),
          gemm_size(s.kw),
          0,
          0};
}

// One axis of an input gradient: the taps that reach the input pixels `residue` + i * stride.
struct ClassAxis {
  int64_t first_tap, taps;  // first_tap, first_tap + tap_step, ...
  int64_t origin;           // output pixel that the first tap takes to pixel i = 0
  int64_t pixels;
};

struct Axis {
  int64_t size, taps, stride, pad, dilation;

  int64_t tap_step() const { return stride / std::gcd(stride, dilation); }
  // Output pixels from one of these taps to the next: backwards.
  int64_t move() const { return -(tap_step() * dilation / stride); }
  ClassAxis class_of(int64_t residue) const {
    const int64_t pixels = (size - residue + stride - 1) / stride;
    for (int64_t tap = 0; tap < std::min(taps, tap_step()); ++tap) {
      const int64_t reach = residue + pad - tap * dilation;
      if (reach % stride == 0) return {tap, (taps - tap + tap_step() - 1) / tap_step(), reach / stride, pixels};
    }
    return {0, 0, 0, pixels};
  }
};

}  // namespace

void conv2d(const Conv2dParams& p) {
  const Conv2dShape& s = p.shape;
  if (output_pixels(s) == 0 || s.c_out == 0) return;
  const Aligned filter(p.filter, tap_count(s), s.c_in, s.c_out, whole_words(s.c_in));
  dense_convolution({s, p.x, filter.data(), p.bias, nullptr, p.activation, false, p.y});
}

void dense_convolution(const DenseConvolution& p) {
  const Conv2dShape& s = p.shape;
  if (output_pixels(s) == 0) return;
  const int64_t c_in = whole_words(s.c_in);
  const int64_t c_out = whole_words(s.c_out);
  const Aligned x(p.x, input_pixels(s), s.c_in);

  GemmProblem gemm = single_product();
  gemm.splittable = !p.steady;
  gemm.a = input_window(s, x.data(), c_in);
  gemm.b = {p.filter, c_out, gemm_size(c_out), 0, 0, 0};
  gemm.y = {p.y, s.out_h * s.out_w * s.c_out, s.out_w * s.c_out, s.c_out, gemm_size(s.out_w)};
  gemm.columns = gemm_size(s.c_out);
  gemm.y_size = output_pixels(s) * s.c_out;
  gemm.bias = p.bias;
  gemm.residual = p.residual;
  gemm.activation = p.activation;
  gemm.parts[0] = output_grid(s, output_pixels(s), tap_count(s) * c_in);
  run_gemm(gemm);
}

void conv2d_backprop_input(const Conv2dBackpropInputParams& p) {
  const Conv2dShape& s = p.shape;
  if (input_pixels(s) == 0 || s.c_in == 0) return;
  const int64_t c_out = whole_words(s.c_out);
  const Aligned dy(p.dy, output_pixels(s), s.c_out);
  const Aligned filter(p.filter, tap_count(s) * s.c_in, s.c_out);
  const Axis axis_h = {s.h, s.kh, s.stride_h, s.pad_top, s.dilation_h};
  const Axis axis_w = {s.w, s.kw, s.stride_w, s.pad_left, s.dilation_w};
  const int64_t tap_floats = s.c_in * c_out;

  GemmProblem gemm = single_product();
  gemm.b_columns = true;
  gemm.a = {dy.data(),
            s.n,
            gemm_size(s.out_h),
            gemm_size(s.out_w),
            gemm_size(c_out),
            1,
            1,
            static_cast<int>(axis_h.move()),
            static_cast<int>(axis_w.move())};
  gemm.b = {
      filter.data(), c_out, 0, gemm_size(c_out), axis_h.tap_step() * s.kw * tap_floats, axis_w.tap_step() * tap_floats};
  gemm.y = {p.dx, s.h * s.w * s.c_in, s.stride_h * s.w * s.c_in, s.stride_w * s.c_in, gemm_size(s.w)};
  gemm.columns = gemm_size(s.c_in);
  gemm.y_size = input_pixels(s) * s.c_in;

  const int64_t classes_h = std::min(s.stride_h, s.h);
  const int64_t classes_w = std::min(s.stride_w, s.w);
  gemm.splittable = classes_h * classes_w <= kMaxParts;
  gemm.part_count = 0;
  for (int64_t i = 0; i < classes_h * classes_w; ++i) {
    const ClassAxis h = axis_h.class_of(i / classes_w);
    const ClassAxis w = axis_w.class_of(i % classes_w);
    gemm.parts[gemm.part_count++] = {s.n * h.pixels * w.pixels,
                                     h.taps * w.taps * c_out,
                                     gemm_size(h.pixels),
                                     gemm_size(w.pixels),
                                     static_cast<int>(h.origin),
                                     static_cast<int>(w.origin),
                                     gemm_size(h.taps),
                                     gemm_size(w.taps),
                                     (h.first_tap * s.kw + w.first_tap) * tap_floats,
                                     (i / classes_w * s.w + i % classes_w) * s.c_in};
    if (gemm.part_count == kMaxParts || i + 1 == classes_h * classes_w) {
      run_gemm(gemm);
      gemm.part_count = 0;
    }
  }
}

void conv2d_backprop_filter(const Conv2dBackpropFilterParams& p) {
  const Conv2dShape& s = p.shape;
  if (tap_count(s) * s.c_in * s.c_out == 0) return;
  const int64_t c_in = whole_words(s.c_in);
  const int64_t c_out = whole_words(s.c_out);
  const Aligned x(p.x, input_pixels(s), s.c_in);
  const Aligned dy(p.dy, output_pixels(s), s.c_out);

  GemmProblem gemm = single_product();
  gemm.a_columns = true;
  gemm.a = input_window(s, x.data(), c_in);
  gemm.b = {dy.data(), c_out, gemm_size(c_out), 0, 0, 0};
  gemm.y = {p.d_filter, s.kw * s.c_in * s.c_out, s.c_in * s.c_out, s.c_out, gemm_size(s.c_in)};
  gemm.columns = gemm_size(s.c_out);
  gemm.y_size = tap_count(s) * s.c_in * s.c_out;
  // Without source pixels all sums are 0, whatever dy holds: 0 * NaN is not asked for.
  const int64_t depth = input_pixels(s) == 0 ? 0 : output_pixels(s);
  gemm.parts[0] = output_grid(s, tap_count(s) * c_in, depth);
  run_gemm(gemm);
}

}  // namespace ftwt::cuda
