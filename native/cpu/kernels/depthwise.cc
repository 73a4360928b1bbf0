#include "cpu/depthwise.h"
#include "cpu/gemm/activate.h"
#include "cpu/isa.h"

namespace ftwt::FTWT_ISA {
namespace {

// Vectors summed together: that many independent chains hide the latency of a multiply-add.
constexpr int kChains = 4;

template <int kCount>
FTWT_INLINE void sum_taps(const cpu::DepthwiseSum& sum, const float* const* pairs, int64_t count, int64_t c,
                          int64_t channels, float* output) {
  Vec acc[kCount];
#pragma GCC unroll 4
  for (int v = 0; v < kCount; ++v) {
    acc[v] = sum.bias == nullptr ? Vec{} : load_some(sum.bias + c + v * kLanes, channels - v * kLanes);
  }
  for (int64_t i = 0; i < count; ++i) {
    const float* source = pairs[2 * i] + c;
    const float* filter = pairs[2 * i + 1] + c;
#pragma GCC unroll 4
    for (int v = 0; v < kCount; ++v) {
      const int64_t left = channels - v * kLanes;
      acc[v] += load_some(source + v * kLanes, left) * load_some(filter + v * kLanes, left);
    }
  }
#pragma GCC unroll 4
  for (int v = 0; v < kCount; ++v) {
    store_some(output + c + v * kLanes, activate(acc[v], sum.activation), channels - v * kLanes);
  }
}

}  // namespace

void depthwise_rows(const cpu::DepthwiseSum& s, int64_t begin, int64_t end, const float** pairs) {
  for (int64_t row = begin; row < end; ++row) {
    const float* image = s.source + row / s.output_h * s.source_h * s.source_w * s.c;
    const int64_t i = row % s.output_h;
    for (int64_t j = 0; j < s.output_w; ++j) {
      int64_t count = 0;
      for (int32_t h = s.rows.first[i]; h < s.rows.first[i + 1]; ++h) {
        const float* source = image + s.rows.source[h] * s.source_w * s.c;
        const float* filter = s.filter + s.rows.tap[h] * s.kw * s.c;
        for (int32_t w = s.columns.first[j]; w < s.columns.first[j + 1]; ++w) {
          pairs[2 * count] = source + s.columns.source[w] * s.c;
          pairs[2 * count + 1] = filter + s.columns.tap[w] * s.c;
          ++count;
        }
      }
      float* output = s.output + (row * s.output_w + j) * s.c;
      int64_t c = 0;
      // The constant tells the compiler that these vectors are whole.
      for (; c + kChains * kLanes <= s.c; c += kChains * kLanes) {
        sum_taps<kChains>(s, pairs, count, c, kChains * kLanes, output);
      }
      for (; c + kLanes <= s.c; c += kLanes) sum_taps<1>(s, pairs, count, c, kLanes, output);
      if (c < s.c) sum_taps<1>(s, pairs, count, c, s.c - c, output);
    }
  }
}

namespace {

// Adds the sum over `count` pixels of x * dy to one vector of the filter gradient.
FTWT_INLINE void add_products(const float* x, int64_t x_step, const float* dy, int64_t dy_step, int64_t count,
                              int64_t channels, float* d_filter) {
  Vec even = {};
  Vec odd = {};
  int64_t p = 0;
  for (; p + 2 <= count; p += 2, x += 2 * x_step, dy += 2 * dy_step) {
    even += load_some(x, channels) * load_some(dy, channels);
    odd += load_some(x + x_step, channels) * load_some(dy + dy_step, channels);
  }
  if (p < count) even += load_some(x, channels) * load_some(dy, channels);
  store_some(d_filter, load_some(d_filter, channels) + (even + odd), channels);
}

FTWT_INLINE int64_t divide_up(int64_t a, int64_t b) { return a <= 0 ? 0 : (a + b - 1) / b; }

}  // namespace

// Adds what output rows [begin, end) of n * out_h contribute to d_filter [kh, kw, c]; x has c_out channels here.
void depthwise_filter_rows(const Conv2dShape& s, const float* x, const float* dy, int64_t begin, int64_t end,
                           float* d_filter) {
  const int64_t c = s.c_out;
  for (int64_t row = begin; row < end; ++row) {
    for (int64_t kh = 0; kh < s.kh; ++kh) {
      const int64_t h = row % s.out_h * s.stride_h - s.pad_top + kh * s.dilation_h;
      if (h < 0 || h >= s.h) continue;
      for (int64_t kw = 0; kw < s.kw; ++kw) {
        const int64_t move = kw * s.dilation_w - s.pad_left;
        const int64_t first = divide_up(-move, s.stride_w);
        const int64_t above = divide_up(s.w - move, s.stride_w);
        const int64_t last = above < s.out_w ? above : s.out_w;
        if (first >= last) continue;
        const float* from_x = x + ((row / s.out_h * s.h + h) * s.w + first * s.stride_w + move) * c;
        const float* from_dy = dy + (row * s.out_w + first) * c;
        float* to = d_filter + (kh * s.kw + kw) * c;
        int64_t i = 0;
        for (; i + kLanes <= c; i += kLanes) {
          add_products(from_x + i, s.stride_w * c, from_dy + i, c, last - first, kLanes, to + i);
        }
        if (i < c) add_products(from_x + i, s.stride_w * c, from_dy + i, c, last - first, c - i, to + i);
      }
    }
  }
}

}  // namespace ftwt::FTWT_ISA
