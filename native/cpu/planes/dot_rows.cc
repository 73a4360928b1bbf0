// Convolutions of very few pixels: dot products over whole rows of weights. Lanes are products, so that the weights are
// streamed, which is all that such a layer costs. Of the 36 products of a 3x3 window with 2x2 pixels 20 are with the
// padding: quad_row leaves these out, and the input channels that are not listed.
#include "cpu/gemm/activate.h"
#include "cpu/isa.h"
#include "cpu/planes/deinterleave.h"
#include "cpu/planes/planes.h"

namespace ftwt::FTWT_ISA {
namespace {

constexpr int kRows = kLanes == 16 ? 4 : 3;  // that share a load of x

// What is left to bring.
struct Next {
  const float *at, *end;
};

FTWT_INLINE void bring(Next& next, int lines) {
  if (next.at >= next.end) return;
#pragma GCC unroll 2
  for (int i = 0; i < lines; ++i) __builtin_prefetch(next.at + 16 * i, 0, 2);
  next.at += 16 * lines;
}

// Writes the sums, row by row, of `MR` rows and `Pixels` pixels.
template <int MR, int Pixels>
FTWT_INLINE void finish(const cpu::DotRows& d, const int32_t* rows, const Vec (&sums)[MR][Pixels]) {
  constexpr int kSums = MR * Pixels;
  constexpr int kPadded = (kSums + kLanes - 1) / kLanes * kLanes;
  Vec products[kPadded] = {};
  float others[kPadded] = {};
  float values[kPadded];
#pragma GCC unroll 4
  for (int m = 0; m < MR; ++m) {
    const float bias = d.bias != nullptr ? d.bias[rows[m]] : 0.0f;
#pragma GCC unroll 4
    for (int p = 0; p < Pixels; ++p) {
      products[m * Pixels + p] = sums[m][p];
      others[m * Pixels + p] = d.residual != nullptr ? bias + d.residual[rows[m] * d.residual_stride + p] : bias;
    }
  }
  for (int i = 0; i < kPadded; i += kLanes) {
    const Vec sum = reduce_lanes<kLanes>(products + i, [](Vec a, Vec b) { return a + b; });
    store(values + i, activate(sum + load(others + i), d.activation));
  }
#pragma GCC unroll 4
  for (int m = 0; m < MR; ++m) {
    for (int p = 0; p < Pixels; ++p) d.out[rows[m] * d.out_stride + p] = values[m * Pixels + p];
  }
}

template <int MR, int Pixels>
FTWT_INLINE void rows_of(const cpu::DotRows& d, const int32_t* rows, Next& next) {
  Vec acc[MR][Pixels] = {};
  const float* weights[MR];
  for (int m = 0; m < MR; ++m) weights[m] = d.weights + rows[m] * d.row_stride;
  for (int64_t k = 0; k < d.length; k += kLanes) {
    bring(next, 2);
    Vec w[MR];
#pragma GCC unroll 4
    for (int m = 0; m < MR; ++m) w[m] = load(weights[m] + k);
#pragma GCC unroll 4
    for (int p = 0; p < Pixels; ++p) {
      const Vec x = load(d.x + p * d.x_stride + k);
#pragma GCC unroll 4
      for (int m = 0; m < MR; ++m) acc[m][p] = multiply_add(acc[m][p], w[m], x);
    }
  }
  finish<MR, Pixels>(d, rows, acc);
}

template <int Pixels>
void all_rows(const cpu::DotRows& d, cpu::ChannelList rows) {
  Next next = {d.next, d.next_end};
  int64_t i = 0;
  for (; i + kRows <= rows.count; i += kRows) rows_of<kRows, Pixels>(d, rows.index + i, next);
  switch (rows.count - i) {
    case 3: return rows_of<3, Pixels>(d, rows.index + i, next);
    case 2: return rows_of<2, Pixels>(d, rows.index + i, next);
    case 1: return rows_of<1, Pixels>(d, rows.index + i, next);
  }
}

// ---- Quads ----------------------------------------------------------------------------------------------------------

constexpr int kProducts = 16;  // [output pixel, input pixel]
constexpr int kParts = kProducts / kLanes;
constexpr int kQuadSums =
    4 / kParts;  // of a sample, that hide each other's latency; and samples that are finished at once

// The factors of part `part` of a channel's products, from its nine weights: those that output pixel 0 meets are 4, 5,
// 7 and 8, of pixel 1 one less, of pixels 2 and 3 as many as a row less.
FTWT_INLINE Vec quad_factors(const float* w, int part) {
#if defined(FTWT_ISA_avx512)
  static_cast<void>(part);
  const Vec v = load(w);
  return FTWT_SHUFFLE(v, v, 4, 5, 7, 8, 3, 4, 6, 7, 1, 2, 4, 5, 0, 1, 3, 4);
#elif defined(FTWT_ISA_avx2)
  const Vec v = load(w + 3 * (1 - part));
  return FTWT_SHUFFLE(v, v, 1, 2, 4, 5, 0, 1, 3, 4);
#else
  w += 4 - (part / 2 * 3 + part % 2);
  return FTWT_SHUFFLE(load(w), load(w + 1), 0, 1, 3, 7);
#endif
}

// Four pixels for each output pixel.
FTWT_INLINE Vec load_pixels(const float* p) {
#if defined(FTWT_ISA_avx512)
  return reinterpret_cast<Vec>(_mm512_maskz_broadcast_f32x4(0xffff, _mm_loadu_ps(p)));
#elif defined(FTWT_ISA_avx2)
  return reinterpret_cast<Vec>(_mm256_broadcast_ps(reinterpret_cast<const __m128*>(p)));
#else
  return load(p);
#endif
}

// Products of one sample, part by part.
FTWT_INLINE void quad_products(const float* weights, const cpu::QuadSample& sample, Next& next, Vec* products) {
  Vec acc[kQuadSums][kParts] = {};
  const auto add = [&](int64_t j, int i) __attribute__((always_inline)) {
    const Vec x = load_pixels(sample.x + 4 * j);
#pragma GCC unroll 4
    for (int part = 0; part < kParts; ++part) {
      acc[i][part] += quad_factors(weights + int64_t{9} * sample.inputs.index[j], part) * x;
    }
  };
  int64_t j = 0;
  for (; j + kQuadSums <= sample.inputs.count; j += kQuadSums) {
    bring(next, 1);
#pragma GCC unroll 4
    for (int i = 0; i < kQuadSums; ++i) add(j + i, i);
  }
  for (; j < sample.inputs.count; ++j) add(j, 0);
#pragma GCC unroll 4
  for (int part = 0; part < kParts; ++part) {
    products[part] = acc[0][part];
#pragma GCC unroll 4
    for (int i = 1; i < kQuadSums; ++i) products[part] += acc[i][part];
  }
}

FTWT_INLINE Vec add_pairs(Vec a, Vec b) { return even_lanes(a, b) + odd_lanes(a, b); }

}  // namespace

void quad_row(const cpu::DotRows& d, int32_t row, const cpu::QuadSample* samples, int64_t count) {
  Next next = {d.next, d.next_end};
  const Vec bias = splat(d.bias != nullptr ? d.bias[row] : 0.0f);
  for (int64_t first = 0; first < count; first += kQuadSums) {
    const int64_t some = count - first < kQuadSums ? count - first : kQuadSums;
    Vec products[4] = {};
    float values[kLanes] = {};
    for (int64_t s = 0; s < some; ++s) {
      const cpu::QuadSample& sample = samples[first + s];
      quad_products(d.weights + row * d.row_stride, sample, next, products + s * kParts);
      if (sample.residual != nullptr)
        memcpy(values + 4 * s, sample.residual + row * d.residual_stride, 4 * sizeof(float));
    }
    const Vec sums = add_pairs(add_pairs(products[0], products[1]), add_pairs(products[2], products[3]));
    store(values, activate(sums + bias + load(values), d.activation));
    for (int64_t s = 0; s < some; ++s) {
      memcpy(samples[first + s].out + row * d.out_stride, values + 4 * s, 4 * sizeof(float));
    }
  }
}

void dot_rows(const cpu::DotRows& d, int64_t pixels, cpu::ChannelList rows) {
  switch (pixels) {
    case 1: return all_rows<1>(d, rows);
    case 2: return all_rows<2>(d, rows);
    case 3: return all_rows<3>(d, rows);
    default: return all_rows<4>(d, rows);
  }
}

}  // namespace ftwt::FTWT_ISA
