// The last pixel of a product, where it would have a vector to itself: of 49 pixels, say.
#pragma once
#include "cpu/gemm/activate.h"
#include "cpu/isa.h"
#include "cpu/planes/deinterleave.h"
#include "cpu/planes/planes.h"

namespace ftwt::FTWT_ISA {
namespace {

constexpr int64_t kMostLone = 8192;  // floats of a row of weights
constexpr int kLoneRows = 4;         // that share a load of the pixel

// Where few columns are listed, a vector for each costs less than whole rows.
FTWT_INLINE bool has_lone_pixel(const cpu::PlaneGemm& g) {
  return g.lone_pixel && g.pixels > kLanes && g.pixels % kLanes == 1 && g.panels == nullptr &&
         g.row_stride <= kMostLone && g.columns.count > 0 &&
         g.columns.count * kLanes > 2 * g.columns.index[g.columns.count - 1];
}

template <int MR>
FTWT_INLINE void lone_rows(const cpu::PlaneGemm& g, const int32_t* rows, const float* x, int64_t length, Vec* sums) {
  const float* weights[MR];
  Vec acc[MR] = {};
  for (int m = 0; m < MR; ++m) weights[m] = g.weights + rows[m] * g.row_stride;
  for (int64_t k = 0; k < length; k += kLanes) {
    const Vec v = load(x + k);
#pragma GCC unroll 4
    for (int m = 0; m < MR; ++m) acc[m] = multiply_add(acc[m], load(weights[m] + k), v);
  }
  for (int m = 0; m < MR; ++m) sums[m] = acc[m];
}

// Products of whole rows of weights, in which columns that are not listed meet zeros. Rows are zeros from their last
// weight to a multiple of 16.
__attribute__((noinline)) void run_lone_pixel(const cpu::PlaneGemm& g, cpu::ChannelList rows) {
  alignas(64) float x[kMostLone];
  const int64_t pixel = g.pixels - 1;
  const int64_t floats = (g.columns.index[g.columns.count - 1] + 1) * g.taps;
  const int64_t length = (floats + kLanes - 1) / kLanes * kLanes;
  for (int64_t k = 0; k < length; k += kLanes) store(x + k, Vec{});
  for (int64_t j = 0; j < g.columns.count; ++j) {
    const float* column = g.b + (g.packed ? j : g.columns.index[j]) * g.b_stride + pixel;
    for (int64_t t = 0; t < g.taps; ++t) x[g.columns.index[j] * g.taps + t] = column[g.tap_offset[t]];
  }
  for (int64_t first = 0; first < rows.count; first += kLanes) {
    const int64_t count = rows.count - first < kLanes ? rows.count - first : kLanes;
    Vec products[kLanes] = {};
    int64_t m = 0;
    for (; m + kLoneRows <= count; m += kLoneRows) {
      lone_rows<kLoneRows>(g, rows.index + first + m, x, length, products + m);
    }
    for (; m < count; ++m) lone_rows<1>(g, rows.index + first + m, x, length, products + m);
    float sums[kLanes];
    store(sums, reduce_lanes<kLanes>(products, [](Vec a, Vec b) { return a + b; }));
    for (m = 0; m < count; ++m) {
      const int32_t row = rows.index[first + m];
      float sum = g.bias != nullptr ? g.bias[row] + sums[m] : sums[m];
      if (g.residual != nullptr) sum += g.residual[row * g.residual_stride + pixel];
      g.out[(g.compact ? first + m : row) * g.out_stride + pixel] = activate(splat(sum), g.activation)[0];
    }
  }
}

}  // namespace
}  // namespace ftwt::FTWT_ISA
