// Copies of the operands of a product's tiles, in the order in which tiles read them.
#pragma once
#include "cpu/planes/gemm_tile.h"
#include "cpu/planes/transpose.h"

namespace ftwt::FTWT_ISA {
namespace {

// The weights of 4 rows side by side: to[i * stride + row].
FTWT_INLINE void pack_quad(const float* const* rows, int64_t from, int64_t floats, float* to, int64_t stride) {
  int64_t i = 0;
  for (; i + 4 <= floats; i += 4, to += 4 * stride) {
    Quad r[4];
#pragma GCC unroll 4
    for (int m = 0; m < 4; ++m) r[m] = load_quad(rows[m] + from + i);
    transpose_quads(r);
#pragma GCC unroll 4
    for (int m = 0; m < 4; ++m) store_quad(to + m * stride, r[m]);
  }
  for (; i < floats; ++i, to += stride) {
    store_quad(to, Quad{rows[0][from + i], rows[1][from + i], rows[2][from + i], rows[3][from + i]});
  }
}

// The weights of a panel's rows side by side.
template <int MR = kPanelRows>
FTWT_INLINE void pack_panel(const Tile& tile, const int32_t* rows, int64_t count, float* to) {
  if constexpr (MR > 1) {
    if (count < MR) return pack_panel<MR - 1>(tile, rows, count, to);
  }
  const cpu::PlaneGemm& g = *tile.gemm;
  const float* weights[MR];
  for (int m = 0; m < MR; ++m) weights[m] = g.weights + rows[m] * g.row_stride;
  const auto pack = [&](int64_t from, int64_t floats) __attribute__((always_inline)) {
    for (int m = 0; m < MR / 4; ++m) pack_quad(weights + 4 * m, from, floats, to + 4 * m, MR);
    for (int m = MR / 4 * 4; m < MR; ++m) {
      for (int64_t i = 0; i < floats; ++i) to[i * MR + m] = weights[m][from + i];
    }
    to += floats * MR;
  };
  const int32_t* columns = g.columns.index;
  const int64_t first = tile.column_begin, last = tile.column_end - 1, taps = g.taps;
  if (first <= last && columns[last] - columns[first] == last - first) {
    return pack(columns[first] * taps, (last - first + 1) * taps);
  }
  if (taps == 1) {
    for (int64_t j = first; j <= last; ++j) pack(columns[j], 1);
  } else {
    for (int64_t j = first; j <= last; ++j) pack(columns[j] * taps, taps);
  }
}

// Brings a tile of b, whose columns and taps lie far apart, into the first-level cache.
template <int NV>
FTWT_INLINE void copy_vectors(const Tile& tile, float* to) {
  const cpu::PlaneGemm& g = *tile.gemm;
  const int64_t taps = g.taps, stride = g.b_stride;
  const int32_t* columns = g.packed ? nullptr : g.columns.index;
  const int32_t* offsets = g.tap_offset;
  const float* b = g.b + tile.pixel;
  for (int64_t j = tile.column_begin; j < tile.column_end; ++j) {
    const float* from = b + (columns == nullptr ? j : columns[j]) * stride;
    for (int64_t t = 0; t < taps; ++t, to += NV * kLanes) {
      for (int v = 0; v < NV; ++v) store(to + v * kLanes, load(from + offsets[t] + v * kLanes));
    }
    // The next tile's, from where only the third-level cache may have them.
    __builtin_prefetch(from + offsets[0] + NV * kLanes, 0, 2);
    __builtin_prefetch(from + offsets[0] + 2 * NV * kLanes - 1, 0, 2);
  }
}

FTWT_INLINE void copy_tile(const Tile& tile, int64_t vectors, float* to) {
  switch (vectors) {
    case 1: return copy_vectors<1>(tile, to);
    case 2: return copy_vectors<2>(tile, to);
    default: return copy_vectors<kMaxVectors>(tile, to);
  }
}

}  // namespace
}  // namespace ftwt::FTWT_ISA
