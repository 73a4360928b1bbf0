// Convolutions of very few pixels: dot products over whole rows of weights. Lanes are products, so that the weights are
// streamed, which is all that such a layer costs.
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
    for (int p = 0; p < Pixels; ++p) {
      float sum = sum_lanes(acc[m][p]) + (d.bias != nullptr ? d.bias[rows[m]] : 0.0f);
      if (d.residual != nullptr) sum += d.residual[rows[m] * d.residual_stride + p];
      d.out[rows[m] * d.out_stride + p] = activate(splat(sum), d.activation)[0];
    }
  }
}

template <int Pixels>
void all_rows(const cpu::DotRows& d, cpu::ChannelList rows) {
  int64_t i = 0;
  for (; i + kRows <= rows.count; i += kRows) rows_of<kRows, Pixels>(d, rows.index + i);
  for (; i < rows.count; ++i) rows_of<1, Pixels>(d, rows.index + i);
}

}  // namespace

void dot_rows(const cpu::DotRows& d, int64_t pixels, cpu::ChannelList rows) {
  switch (pixels) {
    case 1: return all_rows<1>(d, rows);
    case 2: return all_rows<2>(d, rows);
    case 3: return all_rows<3>(d, rows);
    default: return all_rows<4>(d, rows);
  }
}

}  // namespace ftwt::FTWT_ISA
