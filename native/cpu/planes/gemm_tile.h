// The product's micro-kernel: a tile of up to 12 rows (16 of panels) and 3 vectors of pixels, and its part of the sum.
#pragma once
#include "cpu/gemm/activate.h"
#include "cpu/isa.h"
#include "cpu/planes/planes.h"

namespace ftwt::FTWT_ISA {
namespace {

// Accumulators, the vectors of one row of b and one broadcast fit the register file. A tile of one vector has as many
// rows as hide each other's latency.
constexpr int kMaxVectors = 3;
#if defined(FTWT_ISA_avx512)
constexpr int kMaxRows[kMaxVectors + 1] = {0, 12, 8, 8};
#else
constexpr int kMaxRows[kMaxVectors + 1] = {0, 8, 6, 4};
#endif
// Rows of a panel, whatever the width of the tile.
constexpr int kPanelRows = kMaxRows[kMaxVectors];
// A tile of one vector has two panels: the sums of one would wait for each other.
constexpr int kPairRows = 2 * kPanelRows;
static_assert(kMaxRows[1] <= kPairRows);  // no single panel is as high as a pair

// A tile of one vector is the slowest: four are two and two.
FTWT_INLINE int64_t vectors_of_tile(int64_t left) {
  return left >= kMaxVectors ? (left == kMaxVectors + 1 ? kMaxVectors - 1 : kMaxVectors) : left;
}

// Lines that are prefetched at a time: fewer than a core has under way.
constexpr int64_t kPrefetchLines = 12;
// Of panels, which follow one another, in floats.
constexpr int64_t kPrefetchAhead = 1024;

// Weights that the next block reads. While this one is multiplied they come into the second-level cache, some with each
// tile: rows are streams too short for the hardware, and a block's first tiles would wait for all of them.
struct Ahead {
  const float* weights;
  int64_t row_stride;
  const int32_t* rows;  // that are left
  int64_t count;
  int64_t begin, end;  // floats of each
  int64_t next;        // of the first
  int64_t lines;       // with each tile
  const Ahead* then;   // what comes after these, or none
};

FTWT_INLINE void bring(Ahead& ahead, int64_t lines) {
  while (lines > 0) {
    if (ahead.count == 0) {
      if (ahead.then == nullptr) return;
      ahead = *ahead.then;
      continue;
    }
    const float* row = ahead.weights + *ahead.rows * ahead.row_stride;
    for (; ahead.next < ahead.end && lines > 0; ahead.next += 16, --lines) __builtin_prefetch(row + ahead.next, 0, 2);
    if (ahead.next < ahead.end) return;
    ahead.next = ahead.begin;
    ++ahead.rows;
    --ahead.count;
  }
}

struct Tile {
  const cpu::PlaneGemm* gemm;
  const int32_t* rows;  // the tile's
  Ahead* ahead;         // or none
  int64_t first_row;    // of the list
  int64_t pixel;
  int64_t column_begin, column_end;  // of the list
  const float* copied;               // the tile of b, column after column, or none
  bool is_copied;                    // it is there already
  int64_t copy_stride;               // of the copies of a pixel's tile and the next one's; 0: one place for all
  const float* panel;                // the rows' weights [columns, taps, rows], or a pair of such, or none
  int64_t panel_column;              // of the list, where the tile's part begins in its panels
  int64_t next_panel;                // of a pair: floats from the first panel to the second
};

// acc[m] += weight(m) * x
template <int MR, int NV, typename Weight>
FTWT_INLINE void add_product(const Vec (&x)[NV], const Weight& weight, Vec (&acc)[MR][NV]) {
#pragma GCC unroll 16
  for (int m = 0; m < MR; ++m) {
    const Vec w = splat(weight(m));
#pragma GCC unroll 4
    for (int v = 0; v < NV; ++v) acc[m][v] = multiply_add(acc[m][v], w, x[v]);
  }
}

// Adds the columns [begin, end) of the tile's block of the sum.
template <int MR, int NV>
FTWT_INLINE void accumulate(const Tile& tile, int64_t begin, int64_t end, const float* const (&weights)[MR],
                            Vec (&acc)[MR][NV]) {
  const cpu::PlaneGemm& g = *tile.gemm;
  const auto step = [&](const float* pixels, int64_t offset) __attribute__((always_inline)) {
    Vec x[NV];
#pragma GCC unroll 4
    for (int v = 0; v < NV; ++v) x[v] = load(pixels + v * kLanes);
    add_product(
        x, [&](int m) __attribute__((always_inline)) { return weights[m][offset]; }, acc);
  };
  const int32_t* columns = g.columns.index;
  if (tile.copied != nullptr) {
    const float* b = tile.copied + (begin - tile.column_begin) * g.taps * NV * kLanes;
    if (g.taps == 1) {
#pragma GCC unroll 4
      for (int64_t j = begin; j < end; ++j, b += NV * kLanes) step(b, columns[j]);
    } else if (g.taps == 9) {
      for (int64_t j = begin; j < end; ++j, b += 9 * NV * kLanes) {
        const int64_t offset = columns[j] * 9;
#pragma GCC unroll 9
        for (int64_t t = 0; t < 9; ++t) step(b + t * NV * kLanes, offset + t);
      }
    } else {
      for (int64_t j = begin; j < end; ++j) {
        const int64_t offset = columns[j] * g.taps;
        for (int64_t t = 0; t < g.taps; ++t, b += NV * kLanes) step(b, offset + t);
      }
    }
    return;
  }
  const float* b = g.b + tile.pixel;
  if (g.taps == 1) {
    b += g.tap_offset[0];
    if (g.packed) {
      b += begin * g.b_stride;
#pragma GCC unroll 4
      for (int64_t j = begin; j < end; ++j, b += g.b_stride) step(b, columns[j]);
    } else {
      for (int64_t j = begin; j < end; ++j) step(b + columns[j] * g.b_stride, columns[j]);
    }
    return;
  }
  for (int64_t j = begin; j < end; ++j) {
    const float* plane = b + (g.packed ? j : columns[j]) * g.b_stride;
    const int64_t offset = columns[j] * g.taps;
    if (g.taps == 9) {
#pragma GCC unroll 9
      for (int64_t t = 0; t < 9; ++t) step(plane + g.tap_offset[t], offset + t);
    } else {
      for (int64_t t = 0; t < g.taps; ++t) step(plane + g.tap_offset[t], offset + t);
    }
  }
}

template <int MR, int NV>
FTWT_INLINE void add_products(const float* weights, int64_t next_panel, const float* pixels, Vec (&acc)[MR][NV]) {
  const auto weight = [&](int m) __attribute__((always_inline)) {
    return MR == kPairRows && m >= kPanelRows ? weights + next_panel + m - kPanelRows : weights + m;
  };
  Vec x[NV];
#pragma GCC unroll 4
  for (int v = 0; v < NV; ++v) x[v] = load(pixels + v * kLanes);
  if constexpr (NV == 1) {
#pragma GCC unroll 16
    for (int m = 0; m < MR; ++m) acc[m][0] = multiply_add_splat(acc[m][0], x[0], weight(m));
  } else {
    add_product(
        x, [&](int m) __attribute__((always_inline)) { return *weight(m); }, acc);
  }
}

// The same from a panel, or a pair. `Ahead`: nobody has read what follows it yet.
template <bool Ahead, int MR, int NV>
FTWT_INLINE void accumulate_panel(const float* weights, int64_t next_panel, const float* pixels, int64_t stride,
                                  int64_t depth, int64_t distance, Vec (&acc)[MR][NV]) {
  constexpr int kRows = MR == kPairRows ? kPanelRows : MR;  // of a panel
  int64_t i = 0;
  for (; i + 4 <= depth; i += 4, weights += 4 * kRows, pixels += 4 * stride) {
    if constexpr (Ahead) {
      for (int line = 0; line < MR; line += 4) {
        const int64_t panel = line < kRows ? 0 : next_panel - 4 * kRows;
        __builtin_prefetch(weights + distance + panel + 4 * line, 0, 2);
      }
    }
#pragma GCC unroll 4
    for (int j = 0; j < 4; ++j) add_products<MR, NV>(weights + j * kRows, next_panel, pixels + j * stride, acc);
  }
  for (; i < depth; ++i, weights += kRows, pixels += stride) add_products<MR, NV>(weights, next_panel, pixels, acc);
}

template <int MR, int NV>
FTWT_INLINE void sum_tile(const Tile& tile, const float* const (&weights)[MR], Vec (&acc)[MR][NV]) {
  const cpu::PlaneGemm& g = *tile.gemm;
  if (tile.panel != nullptr) {
    if (tile.ahead != nullptr) bring(*tile.ahead, tile.ahead->lines);
    const int64_t depth = (tile.column_end - tile.column_begin) * g.taps;
    const bool ahead = tile.pixel == 0 && g.panels != nullptr && !g.weights_near;
    const bool whole = tile.column_end - tile.column_begin == g.columns.count;
    const int64_t distance = whole ? kPrefetchAhead : tile.next_panel;
    if (tile.copied != nullptr) {
      return ahead
                 ? accumulate_panel<true>(tile.panel, tile.next_panel, tile.copied, NV * kLanes, depth, distance, acc)
                 : accumulate_panel<false>(tile.panel, tile.next_panel, tile.copied, NV * kLanes, depth, distance, acc);
    }
    const float* b = g.b + tile.pixel + g.tap_offset[0] + tile.column_begin * g.b_stride;
    return ahead ? accumulate_panel<true>(tile.panel, tile.next_panel, b, g.b_stride, depth, distance, acc)
                 : accumulate_panel<false>(tile.panel, tile.next_panel, b, g.b_stride, depth, distance, acc);
  }
  if (tile.ahead == nullptr) {
    return accumulate<MR, NV>(tile, tile.column_begin, tile.column_end, weights, acc);
  }
  const int64_t parts = (tile.ahead->lines + kPrefetchLines - 1) / kPrefetchLines;
  const int64_t columns = (tile.column_end - tile.column_begin + parts - 1) / parts;
  for (int64_t j = tile.column_begin; j < tile.column_end; j += columns) {
    bring(*tile.ahead, kPrefetchLines);
    accumulate<MR, NV>(tile, j, j + columns < tile.column_end ? j + columns : tile.column_end, weights, acc);
  }
}

template <int MR, int NV>
__attribute__((noinline)) void run_tile(const Tile& tile) {
  const cpu::PlaneGemm& g = *tile.gemm;
  const bool first = tile.column_begin == 0;
  const bool last = tile.column_end == g.columns.count;
  const int64_t left = g.pixels - tile.pixel;
  const bool whole = left >= NV * kLanes;
  float* out[MR];
  const float* weights[MR];
  Vec acc[MR][NV];
#pragma GCC unroll 16
  for (int m = 0; m < MR; ++m) {
    weights[m] = g.weights + tile.rows[m] * g.row_stride;
    out[m] = g.out + (g.compact ? tile.first_row + m : tile.rows[m]) * g.out_stride + tile.pixel;
  }
  if (first) {
    // Where the next tile of these rows goes may be nowhere in the caches.
    if (!g.compact) {
      for (int m = 0; m < MR; ++m) {
        __builtin_prefetch(out[m] + NV * kLanes, 1);
        __builtin_prefetch(out[m] + 2 * NV * kLanes - 1, 1);
      }
    }
#pragma GCC unroll 16
    for (int m = 0; m < MR; ++m) {
      const Vec bias = splat(g.bias != nullptr ? g.bias[tile.rows[m]] : 0.0f);
#pragma GCC unroll 4
      for (int v = 0; v < NV; ++v) acc[m][v] = bias;
    }
  } else {
#pragma GCC unroll 16
    for (int m = 0; m < MR; ++m) {
#pragma GCC unroll 4
      for (int v = 0; v < NV; ++v) {
        acc[m][v] = whole ? load(out[m] + v * kLanes) : load_some(out[m] + v * kLanes, left - v * kLanes);
      }
    }
  }
  sum_tile<MR, NV>(tile, weights, acc);
  if (last && (g.residual != nullptr || g.activation != Activation::Linear)) {
#pragma GCC unroll 16
    for (int m = 0; m < MR; ++m) {
#pragma GCC unroll 4
      for (int v = 0; v < NV; ++v) {
        const int64_t at = v * kLanes;
        if (g.residual != nullptr) {
          acc[m][v] += load_some(g.residual + tile.rows[m] * g.residual_stride + tile.pixel + at, left - at);
        }
        acc[m][v] = activate(acc[m][v], g.activation);
      }
    }
  }
  if (whole) {
#pragma GCC unroll 16
    for (int m = 0; m < MR; ++m) {
#pragma GCC unroll 4
      for (int v = 0; v < NV; ++v) store(out[m] + v * kLanes, acc[m][v]);
    }
    return;
  }
#pragma GCC unroll 16
  for (int m = 0; m < MR; ++m) {
#pragma GCC unroll 4
    for (int v = 0; v < NV; ++v) store_some(out[m] + v * kLanes, acc[m][v], left - v * kLanes);
  }
}

template <int NV, int MR = kMaxRows[NV]>
FTWT_INLINE void run_rows(const Tile& tile, int64_t rows) {
  if constexpr (MR > 1) {
    if (rows < MR) return run_rows<NV, MR - 1>(tile, rows);
  }
  run_tile<MR, NV>(tile);
}

FTWT_INLINE void run_pair(const Tile& tile) { run_tile<kPairRows, 1>(tile); }

template <int NV = kMaxVectors>
FTWT_INLINE void run_vectors(const Tile& tile, int64_t rows, int64_t vectors) {
  if constexpr (NV > 1) {
    if (vectors < NV) return run_vectors<NV - 1>(tile, rows, vectors);
  }
  run_rows<NV>(tile, rows);
}

}  // namespace
}  // namespace ftwt::FTWT_ISA
