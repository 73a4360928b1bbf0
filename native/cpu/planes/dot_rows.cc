// Convolutions of very few pixels: dot products over whole rows of weights. Lanes are products, so that the weights are
// streamed, which is all that such a layer costs. Of the 36 products of a 3x3 window with 2x2 pixels 20 are with the
// padding: quad_rows leaves these out, and the input channels that are not listed.
#include "cpu/gemm/activate.h"
#include "cpu/isa.h"
#include "cpu/planes/planes.h"

namespace ftwt::FTWT_ISA {
namespace {

constexpr int kRows = 3;  // that share a load of x

FTWT_INLINE float sum_lanes(Vec v) {
  float lanes[kLanes];
  store(lanes, v);
#pragma GCC unroll 8
  for (int half = kLanes / 2; half > 0; half /= 2) {
#pragma GCC unroll 8
    for (int i = 0; i < half; ++i) lanes[i] += lanes[i + half];
  }
  return lanes[0];
}

FTWT_INLINE void finish(const cpu::DotRows& d, int32_t row, int pixel, float sum) {
  if (d.bias != nullptr) sum += d.bias[row];
  if (d.residual != nullptr) sum += d.residual[row * d.residual_stride + pixel];
  d.out[row * d.out_stride + pixel] = activate(splat(sum), d.activation)[0];
}

template <int MR, int Pixels>
FTWT_INLINE void rows_of(const cpu::DotRows& d, const int32_t* rows) {
  Vec acc[MR][Pixels] = {};
  const float* weights[MR];
  for (int m = 0; m < MR; ++m) weights[m] = d.weights + rows[m] * d.row_stride;
  for (int64_t k = 0; k < d.length; k += kLanes) {
    Vec w[MR];
#pragma GCC unroll 4
    for (int m = 0; m < MR; ++m) w[m] = load(weights[m] + k);
#pragma GCC unroll 4
    for (int p = 0; p < Pixels; ++p) {
      const Vec x = load(d.x + p * d.x_stride + k);
#pragma GCC unroll 4
      for (int m = 0; m < MR; ++m) acc[m][p] += w[m] * x;
    }
  }
  for (int m = 0; m < MR; ++m) {
    for (int p = 0; p < Pixels; ++p) finish(d, rows[m], p, sum_lanes(acc[m][p]));
  }
}

template <int Pixels>
void all_rows(const cpu::DotRows& d, cpu::ChannelList rows) {
  int64_t i = 0;
  for (; i + kRows <= rows.count; i += kRows) rows_of<kRows, Pixels>(d, rows.index + i);
  for (; i < rows.count; ++i) rows_of<1, Pixels>(d, rows.index + i);
}

// ---- Quads ----------------------------------------------------------------------------------------------------------

constexpr int kQuadRows = 4;   // that share a load of x
constexpr int kProducts = 16;  // [input pixel, output pixel]
constexpr int kParts = kProducts / kLanes;

// The factors of part `part` of a channel's products, from its nine weights: those that meet input pixel 0 are 4, 3, 1
// and 0, pixel 1 one further, pixels 2 and 3 as many as a row further.
FTWT_INLINE Vec quad_factors(const float* w, int part) {
#if defined(FTWT_ISA_avx512)
  static_cast<void>(part);
  return __builtin_shuffle(load(w), IVec{4, 3, 1, 0, 5, 4, 2, 1, 7, 6, 4, 3, 8, 7, 5, 4});
#elif defined(FTWT_ISA_avx2)
  return __builtin_shuffle(load(w + 3 * part), IVec{4, 3, 1, 0, 5, 4, 2, 1});
#else
  w += part / 2 * 3 + part % 2;
  return __builtin_shuffle(load(w), load(w + 1), IVec{7, 3, 1, 0});
#endif
}

template <int MR>
FTWT_INLINE void quad_rows_of(const cpu::DotRows& d, cpu::ChannelList inputs, const int32_t* rows) {
  Vec acc[MR][kParts] = {};
  const float* weights[MR];
  for (int m = 0; m < MR; ++m) weights[m] = d.weights + rows[m] * d.row_stride;
  for (int64_t j = 0; j < inputs.count; ++j) {
    const int64_t first = int64_t{9} * inputs.index[j];
#pragma GCC unroll 4
    for (int part = 0; part < kParts; ++part) {
      const Vec x = load(d.x + j * kProducts + part * kLanes);
#pragma GCC unroll 4
      for (int m = 0; m < MR; ++m) acc[m][part] += quad_factors(weights[m] + first, part) * x;
    }
  }
  for (int m = 0; m < MR; ++m) {
    float products[kProducts];
    for (int part = 0; part < kParts; ++part) store(products + part * kLanes, acc[m][part]);
    for (int p = 0; p < 4; ++p) {
      finish(d, rows[m], p, (products[p] + products[4 + p]) + (products[8 + p] + products[12 + p]));
    }
  }
}

}  // namespace

void quad_rows(const cpu::DotRows& d, cpu::ChannelList inputs, cpu::ChannelList rows) {
  int64_t i = 0;
  for (; i + kQuadRows <= rows.count; i += kQuadRows) quad_rows_of<kQuadRows>(d, inputs, rows.index + i);
  for (; i < rows.count; ++i) quad_rows_of<1>(d, inputs, rows.index + i);
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
