// The kernels know one filter tap per channel. A depth multiplier is reduced to that: the input is repeated
// `multiplier` times along its channels, and an input gradient of c_out channels is summed over those repeats.
#include "ops/depthwise_conv2d.h"

#include <algorithm>
#include <atomic>
#include <vector>

#include "cpu/depthwise.h"
#include "cpu/scratch.h"
#include "cpu/thread_pool.h"

namespace ftwt::cpu {
namespace {

// Multiply-adds below which a thread costs more than it saves.
constexpr int64_t kGrain = 1 << 15;

struct AxisLists {
  std::vector<int32_t> first, source, tap;
  AxisTaps view() const { return {first.data(), source.data(), tap.data()}; }
};

struct Axis {
  int64_t in, out, k, stride, pad, dilation;
};

// What each output index reads of the input.
AxisLists forward_lists(const Axis& a) {
  AxisLists lists;
  for (int64_t o = 0; o < a.out; ++o) {
    lists.first.push_back(static_cast<int32_t>(lists.tap.size()));
    for (int64_t k = 0; k < a.k; ++k) {
      const int64_t i = o * a.stride - a.pad + k * a.dilation;
      if (i < 0 || i >= a.in) continue;
      lists.source.push_back(static_cast<int32_t>(i));
      lists.tap.push_back(static_cast<int32_t>(k));
    }
  }
  lists.first.push_back(static_cast<int32_t>(lists.tap.size()));
  return lists;
}

// What each input index gets from the output.
AxisLists backward_lists(const Axis& a) {
  AxisLists lists;
  for (int64_t i = 0; i < a.in; ++i) {
    lists.first.push_back(static_cast<int32_t>(lists.tap.size()));
    for (int64_t k = 0; k < a.k; ++k) {
      const int64_t o = i + a.pad - k * a.dilation;
      if (o < 0 || o % a.stride != 0 || o / a.stride >= a.out) continue;
      lists.source.push_back(static_cast<int32_t>(o / a.stride));
      lists.tap.push_back(static_cast<int32_t>(k));
    }
  }
  lists.first.push_back(static_cast<int32_t>(lists.tap.size()));
  return lists;
}

Axis row_axis(const Conv2dShape& s) { return {s.h, s.out_h, s.kh, s.stride_h, s.pad_top, s.dilation_h}; }
Axis column_axis(const Conv2dShape& s) { return {s.w, s.out_w, s.kw, s.stride_w, s.pad_left, s.dilation_w}; }

void run(const DepthwiseSum& sum) {
  const auto kernel = FTWT_KERNEL(depthwise_rows);
  const int64_t taps = sum.kh * sum.kw;
  const int64_t row_work = std::max<int64_t>(1, sum.output_w * sum.c * taps);
  parallel_for(sum.n * sum.output_h, kGrain / row_work + 1, [&](int64_t begin, int64_t end, int) {
    std::vector<const float*> pairs(static_cast<std::size_t>(2 * taps));
    kernel(sum, begin, end, pairs.data());
  });
}

// x with every channel repeated, [n, h, w, c_out]; x itself with multiplier 1.
const float* repeated(const Conv2dShape& s, const float* x) {
  if (s.c_out == s.c_in) return x;
  const int64_t pixels = s.n * s.h * s.w;
  const int64_t multiplier = s.c_out / s.c_in;
  float* out = thread_floats(Scratch::Gather, static_cast<std::size_t>(pixels * s.c_out));
  parallel_for(pixels * s.c_in, kGrain, [&](int64_t begin, int64_t end, int) {
    for (int64_t i = begin; i < end; ++i) std::fill_n(out + i * multiplier, multiplier, x[i]);
  });
  return out;
}

}  // namespace

void depthwise_conv2d(const DepthwiseConv2dParams& p) {
  const Conv2dShape& s = p.shape;
  if (s.c_out == 0) return;
  const AxisLists rows = forward_lists(row_axis(s));
  const AxisLists columns = forward_lists(column_axis(s));
  run({.source = repeated(s, p.x),
       .source_h = s.h,
       .source_w = s.w,
       .filter = p.filter,
       .kh = s.kh,
       .kw = s.kw,
       .bias = p.bias,
       .activation = p.activation,
       .output = p.y,
       .n = s.n,
       .output_h = s.out_h,
       .output_w = s.out_w,
       .c = s.c_out,
       .rows = rows.view(),
       .columns = columns.view()});
}

void depthwise_conv2d_backprop_input(const DepthwiseConv2dBackpropInputParams& p) {
  const Conv2dShape& s = p.shape;
  const int64_t size = s.n * s.h * s.w * s.c_in;
  if (s.c_out == 0) {
    std::fill_n(p.dx, size, 0.0f);
    return;
  }
  const int64_t multiplier = s.c_out / s.c_in;
  float* dx = multiplier == 1 ? p.dx : thread_floats(Scratch::Gather, static_cast<std::size_t>(size * multiplier));
  const AxisLists rows = backward_lists(row_axis(s));
  const AxisLists columns = backward_lists(column_axis(s));
  run({.source = p.dy,
       .source_h = s.out_h,
       .source_w = s.out_w,
       .filter = p.filter,
       .kh = s.kh,
       .kw = s.kw,
       .bias = nullptr,
       .activation = Activation::Linear,
       .output = dx,
       .n = s.n,
       .output_h = s.h,
       .output_w = s.w,
       .c = s.c_out,
       .rows = rows.view(),
       .columns = columns.view()});
  if (multiplier == 1) return;
  parallel_for(size, kGrain, [&](int64_t begin, int64_t end, int) {
    for (int64_t i = begin; i < end; ++i) {
      float sum = 0;
      for (int64_t m = 0; m < multiplier; ++m) sum += dx[i * multiplier + m];
      p.dx[i] = sum;
    }
  });
}

void depthwise_conv2d_backprop_filter(const DepthwiseConv2dBackpropFilterParams& p) {
  const Conv2dShape& s = p.shape;
  const int64_t size = s.kh * s.kw * s.c_out;
  if (size == 0) return;
  const auto kernel = FTWT_KERNEL(depthwise_filter_rows);
  const float* x = repeated(s, p.x);
  // Each thread sums its rows in a gradient of its own; they are added in the order of the rows.
  const int64_t copies = thread_count();
  float* partials = thread_floats(Scratch::Partials, static_cast<std::size_t>(size * copies));
  std::fill_n(partials, size * copies, 0.0f);
  const int64_t row_work = std::max<int64_t>(1, s.out_w * size);
  parallel_for(s.n * s.out_h, kGrain / row_work + 1, [&](int64_t begin, int64_t end, int thread) {
    kernel(s, x, p.dy, begin, end, partials + thread * size);
  });
  for (int64_t i = 0; i < size; ++i) {
    float sum = partials[i];
    for (int64_t copy = 1; copy < copies; ++copy) sum += partials[copy * size + i];
    p.d_filter[i] = sum;
  }
}

}  // namespace ftwt::cpu
