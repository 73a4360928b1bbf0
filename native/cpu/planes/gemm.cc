#include "cpu/gemm/activate.h"
#include "cpu/isa.h"
#include "cpu/planes/planes.h"

namespace ftwt::FTWT_ISA {
namespace {

// Accumulators, the vectors of one row of b and one broadcast fit the register file; more rows than this would not fit
// the general registers, each has a pointer of its own.
#if defined(FTWT_ISA_avx512)
constexpr int kMaxVectors = 3;
constexpr int kMaxRows[kMaxVectors + 1] = {0, 8, 8, 8};
#elif defined(FTWT_ISA_avx2)
constexpr int kMaxVectors = 3;
constexpr int kMaxRows[kMaxVectors + 1] = {0, 8, 6, 4};
#else
constexpr int kMaxVectors = 3;
constexpr int kMaxRows[kMaxVectors + 1] = {0, 8, 6, 4};
#endif

// Of one block of the sum, in floats: the weights of the rows that share a tile of b stay in the second-level cache,
// and that tile (kDepth vectors of each kind) in the first.
constexpr int64_t kWeights = 32 * 1024;
constexpr int64_t kDepth = kLanes == 16 ? 170 : 192;
// From so many rows on, a copy of the tile costs less than reading it from where it lies.
constexpr int64_t kRowsForCopy = 32;

// Of a row of weights, that are prefetched at a time.
constexpr int64_t kPrefetchFloats = 64;

struct Tile {
  const cpu::PlaneGemm* gemm;
  const int32_t* rows;       // the tile's
  const int32_t* next_rows;  // whose weights nobody has read yet, or none
  int64_t first_row;         // of the list
  int64_t pixel;
  int64_t column_begin, column_end;  // of the list
  const float* copied;               // the tile of b, column after column, or none
};

// Brings weights of the next tile's rows into the second-level cache: each row is a stream too short for the hardware.
template <int MR>
FTWT_INLINE void prefetch_rows(const Tile& tile, int64_t begin, int64_t end) {
  const cpu::PlaneGemm& g = *tile.gemm;
  for (int m = 0; m < MR; ++m) {
    const float* row = g.weights + tile.next_rows[m] * g.row_stride;
    for (int64_t i = begin; i < end; i += 16) __builtin_prefetch(row + i, 0, 2);
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
#pragma GCC unroll 8
    for (int m = 0; m < MR; ++m) {
      const Vec w = splat(weights[m][offset]);
#pragma GCC unroll 4
      for (int v = 0; v < NV; ++v) acc[m][v] += w * x[v];
    }
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
FTWT_INLINE void sum_tile(const Tile& tile, const float* const (&weights)[MR], Vec (&acc)[MR][NV]) {
  if (tile.next_rows == nullptr) {
    return accumulate<MR, NV>(tile, tile.column_begin, tile.column_end, weights, acc);
  }
  const cpu::PlaneGemm& g = *tile.gemm;
  const int32_t* columns = g.columns.index;
  const int64_t part = kPrefetchFloats / g.taps > 0 ? kPrefetchFloats / g.taps : 1;
  for (int64_t j = tile.column_begin; j < tile.column_end; j += part) {
    const int64_t end = j + part < tile.column_end ? j + part : tile.column_end;
    prefetch_rows<MR>(tile, columns[j] * g.taps, (columns[end - 1] + 1) * g.taps);
    accumulate<MR, NV>(tile, j, end, weights, acc);
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
#pragma GCC unroll 8
  for (int m = 0; m < MR; ++m) {
    weights[m] = g.weights + tile.rows[m] * g.row_stride;
    out[m] = g.out + (g.compact ? tile.first_row + m : tile.rows[m]) * g.out_stride + tile.pixel;
  }
  if (first) {
#pragma GCC unroll 8
    for (int m = 0; m < MR; ++m) {
      const Vec bias = splat(g.bias != nullptr ? g.bias[tile.rows[m]] : 0.0f);
#pragma GCC unroll 4
      for (int v = 0; v < NV; ++v) acc[m][v] = bias;
    }
  } else {
#pragma GCC unroll 8
    for (int m = 0; m < MR; ++m) {
#pragma GCC unroll 4
      for (int v = 0; v < NV; ++v) {
        acc[m][v] = whole ? load(out[m] + v * kLanes) : load_some(out[m] + v * kLanes, left - v * kLanes);
      }
    }
  }
  sum_tile<MR, NV>(tile, weights, acc);
  if (last && (g.residual != nullptr || g.activation != Activation::Linear)) {
#pragma GCC unroll 8
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
#pragma GCC unroll 8
    for (int m = 0; m < MR; ++m) {
#pragma GCC unroll 4
      for (int v = 0; v < NV; ++v) store(out[m] + v * kLanes, acc[m][v]);
    }
    return;
  }
#pragma GCC unroll 8
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

template <int NV = kMaxVectors>
FTWT_INLINE void run_vectors(const Tile& tile, int64_t rows, int64_t vectors) {
  if constexpr (NV > 1) {
    if (vectors < NV) return run_vectors<NV - 1>(tile, rows, vectors);
  }
  run_rows<NV>(tile, rows);
}

// Rows [row_begin, row_end) of the list, as evenly as the tile allows.
FTWT_INLINE void run_strip(Tile tile, cpu::ChannelList rows, int64_t row_begin, int64_t row_end, int64_t vectors) {
  const int64_t count = row_end - row_begin;
  const int64_t tiles = (count + kMaxRows[vectors] - 1) / kMaxRows[vectors];
  for (int64_t i = 0; i < tiles; ++i) {
    const int64_t begin = row_begin + count * i / tiles;
    const int64_t end = row_begin + count * (i + 1) / tiles;
    tile.rows = rows.index + begin;
    tile.next_rows = tile.pixel == 0 && end + (end - begin) <= rows.count ? rows.index + end : nullptr;
    tile.first_row = begin;
    run_vectors(tile, end - begin, vectors);
  }
}

// Brings a tile of b, whose columns and taps lie far apart, into the first-level cache.
template <int NV>
FTWT_INLINE void copy_vectors(const Tile& tile, float* to) {
  const cpu::PlaneGemm& g = *tile.gemm;
  for (int64_t j = tile.column_begin; j < tile.column_end; ++j) {
    const float* from = g.b + tile.pixel + (g.packed ? j : g.columns.index[j]) * g.b_stride;
    for (int64_t t = 0; t < g.taps; ++t, to += NV * kLanes) {
      for (int v = 0; v < NV; ++v) store(to + v * kLanes, load(from + g.tap_offset[t] + v * kLanes));
    }
  }
}

FTWT_INLINE void copy_tile(const Tile& tile, int64_t vectors, float* to) {
  switch (vectors) {
    case 1: return copy_vectors<1>(tile, to);
    case 2: return copy_vectors<2>(tile, to);
    default: return copy_vectors<kMaxVectors>(tile, to);
  }
}

// A tile of one vector is the slowest: four are two and two.
FTWT_INLINE int64_t vectors_of_tile(int64_t left) {
  return left >= kMaxVectors ? (left == kMaxVectors + 1 ? kMaxVectors - 1 : kMaxVectors) : left;
}

FTWT_INLINE int64_t parts(int64_t count, int64_t largest) { return (count + largest - 1) / largest; }

}  // namespace

// Blocks of the sum, then of rows, then tiles of pixels, then of rows: a tile of b is read from the first-level cache
// by all rows of a block, the block's weights from the second.
void plane_gemm(const cpu::PlaneGemm& g, cpu::ChannelList rows) {
  if (rows.count == 0) return;
  const int64_t block_columns = kDepth / g.taps > 0 ? kDepth / g.taps : 1;
  const int64_t depths = g.columns.count > 0 ? parts(g.columns.count, block_columns) : 1;
  const int64_t depth = g.columns.count * g.taps / depths + 1;
  const int64_t blocks = parts(rows.count, kWeights / depth > kMaxRows[1] ? kWeights / depth : kMaxRows[1]);
  const bool copies = g.taps <= kDepth && rows.count / blocks >= kRowsForCopy;
  alignas(64) float room[kDepth * kMaxVectors * kLanes];
  for (int64_t k = 0; k < depths; ++k) {
    Tile tile = {};
    tile.gemm = &g;
    tile.column_begin = g.columns.count * k / depths;
    tile.column_end = g.columns.count * (k + 1) / depths;
    for (int64_t i = 0; i < blocks; ++i) {
      for (tile.pixel = 0; tile.pixel < g.pixels;) {
        const int64_t left = parts(g.pixels - tile.pixel, kLanes);
        const int64_t vectors = vectors_of_tile(left);
        if (copies) {
          copy_tile(tile, vectors, room);
          tile.copied = room;
        }
        run_strip(tile, rows, rows.count * i / blocks, rows.count * (i + 1) / blocks, vectors);
        tile.pixel += vectors * kLanes;
      }
    }
  }
}

}  // namespace ftwt::FTWT_ISA
