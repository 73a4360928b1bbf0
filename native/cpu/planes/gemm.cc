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
constexpr int64_t kPanelDepth = kLanes == 16 ? 170 : 256;  // of panels, which take no more lines than they must
// From so many rows on, a copy of the tile costs less than reading it from where it lies: of a window, whose taps lie
// apart, and of one tap.
constexpr int64_t kRowsForCopy = 32;
constexpr int64_t kRowsForCopyOfOne = 96;
// From so many pixels on, a copy of the weights does, too.
constexpr int64_t kPixelsForPanels = 10 * kLanes;
// Rows of a panel, whatever the width of the tile.
constexpr int kPanelRows = kMaxRows[kMaxVectors];

// Of a row of weights, that are prefetched at a time.
constexpr int64_t kPrefetchFloats = 64;
// Of panels, which follow one another.
constexpr int64_t kPrefetchAhead = 1024;

struct Tile {
  const cpu::PlaneGemm* gemm;
  const int32_t* rows;  // the tile's
  // Rows whose weights nobody has read yet, or none.
  const int32_t* next_rows;
  int64_t next_count;
  const float* next_weights;
  int64_t first_row;  // of the list
  int64_t pixel;
  int64_t column_begin, column_end;  // of the list
  const float* copied;               // the tile of b, column after column, or none
  const float* panel;                // the rows' weights [columns, taps, rows], or none
};

// Brings weights of the next tile's rows into the second-level cache: each row is a stream too short for the hardware.
template <int MR>
FTWT_INLINE void prefetch_rows(const Tile& tile, int64_t begin, int64_t end) {
  const cpu::PlaneGemm& g = *tile.gemm;
  for (int m = 0; m < MR && m < tile.next_count; ++m) {
    const float* row = tile.next_weights + tile.next_rows[m] * g.row_stride;
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
FTWT_INLINE void add_products(const float* weights, const float* pixels, Vec (&acc)[MR][NV]) {
  Vec x[NV];
#pragma GCC unroll 4
  for (int v = 0; v < NV; ++v) x[v] = load(pixels + v * kLanes);
#pragma GCC unroll 8
  for (int m = 0; m < MR; ++m) {
    const Vec w = splat(weights[m]);
#pragma GCC unroll 4
    for (int v = 0; v < NV; ++v) acc[m][v] += w * x[v];
  }
}

// The same from a panel. `Ahead`: nobody has read what follows it yet.
template <bool Ahead, int MR, int NV>
FTWT_INLINE void accumulate_panel(const float* weights, const float* pixels, int64_t stride, int64_t depth,
                                  Vec (&acc)[MR][NV]) {
  int64_t i = 0;
  for (; i + 4 <= depth; i += 4, weights += 4 * MR, pixels += 4 * stride) {
    if constexpr (Ahead) {
      for (int line = 0; line < MR; line += 4) __builtin_prefetch(weights + kPrefetchAhead + 4 * line, 0, 2);
    }
#pragma GCC unroll 4
    for (int j = 0; j < 4; ++j) add_products<MR, NV>(weights + j * MR, pixels + j * stride, acc);
  }
  for (; i < depth; ++i, weights += MR, pixels += stride) add_products<MR, NV>(weights, pixels, acc);
}

template <int MR, int NV>
FTWT_INLINE void sum_tile(const Tile& tile, const float* const (&weights)[MR], Vec (&acc)[MR][NV]) {
  const cpu::PlaneGemm& g = *tile.gemm;
  if (tile.panel != nullptr) {
    const int64_t depth = (tile.column_end - tile.column_begin) * g.taps;
    const bool ahead = tile.pixel == 0 && g.panels != nullptr;
    if (tile.copied != nullptr) {
      return ahead ? accumulate_panel<true>(tile.panel, tile.copied, NV * kLanes, depth, acc)
                   : accumulate_panel<false>(tile.panel, tile.copied, NV * kLanes, depth, acc);
    }
    const float* b = g.b + tile.pixel + g.tap_offset[0] + tile.column_begin * g.b_stride;
    return ahead ? accumulate_panel<true>(tile.panel, b, g.b_stride, depth, acc)
                 : accumulate_panel<false>(tile.panel, b, g.b_stride, depth, acc);
  }
  if (tile.next_rows == nullptr) {
    return accumulate<MR, NV>(tile, tile.column_begin, tile.column_end, weights, acc);
  }
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

// A part of the list of rows.
struct Rows {
  const int32_t* index;
  int64_t begin, end, count;  // count: of the list
};

// Calls body(begin, end) for groups of at most `largest` rows, as even as can be.
template <typename Body>
FTWT_INLINE void for_each_group(const Rows& rows, int64_t largest, const Body& body) {
  const int64_t count = rows.end - rows.begin;
  const int64_t groups = (count + largest - 1) / largest;
  for (int64_t i = 0; i < groups; ++i) body(rows.begin + count * i / groups, rows.begin + count * (i + 1) / groups);
}

// After the last row come the first of the next product's.
FTWT_INLINE void find_next(Tile& tile, const Rows& rows, int64_t end) {
  const cpu::PlaneGemm& g = *tile.gemm;
  const bool last = end == rows.count;
  tile.next_rows = !last ? rows.index + end : g.next_weights != nullptr ? rows.index : nullptr;
  tile.next_count = rows.count - (last ? 0 : end);
  tile.next_weights = last ? g.next_weights : g.weights;
}

FTWT_INLINE void run_strip(Tile tile, const Rows& rows, int64_t vectors) {
  for_each_group(rows, kMaxRows[vectors], [&](int64_t begin, int64_t end) {
    tile.rows = rows.index + begin;
    if (tile.pixel == 0) find_next(tile, rows, end);
    tile.first_row = begin;
    run_vectors(tile, end - begin, vectors);
  });
}

// The same from panels, which lie in the order of the rows, `row_floats` for each row.
FTWT_INLINE void run_panels(Tile tile, const Rows& rows, const float* panels, int64_t row_floats, int64_t vectors) {
  for_each_group(rows, kPanelRows, [&](int64_t begin, int64_t end) {
    tile.rows = rows.index + begin;
    tile.first_row = begin;
    tile.panel = panels + (begin - rows.begin) * row_floats;
    run_vectors(tile, end - begin, vectors);
  });
}

typedef float Quad __attribute__((vector_size(16)));
typedef float QuadU __attribute__((vector_size(16), aligned(4), may_alias));
typedef int32_t QuadIndex __attribute__((vector_size(16)));

// The weights of 4 rows side by side: to[i * stride + row].
FTWT_INLINE void pack_quad(const float* const* rows, int64_t from, int64_t floats, float* to, int64_t stride) {
  int64_t i = 0;
#if !defined(__clang__)
  for (; i + 4 <= floats; i += 4, to += 4 * stride) {
    Quad r[4];
#pragma GCC unroll 4
    for (int m = 0; m < 4; ++m) r[m] = *reinterpret_cast<const QuadU*>(rows[m] + from + i);
    const Quad low01 = __builtin_shuffle(r[0], r[1], QuadIndex{0, 4, 1, 5});
    const Quad high01 = __builtin_shuffle(r[0], r[1], QuadIndex{2, 6, 3, 7});
    const Quad low23 = __builtin_shuffle(r[2], r[3], QuadIndex{0, 4, 1, 5});
    const Quad high23 = __builtin_shuffle(r[2], r[3], QuadIndex{2, 6, 3, 7});
    *reinterpret_cast<QuadU*>(to) = __builtin_shuffle(low01, low23, QuadIndex{0, 1, 4, 5});
    *reinterpret_cast<QuadU*>(to + stride) = __builtin_shuffle(low01, low23, QuadIndex{2, 3, 6, 7});
    *reinterpret_cast<QuadU*>(to + 2 * stride) = __builtin_shuffle(high01, high23, QuadIndex{0, 1, 4, 5});
    *reinterpret_cast<QuadU*>(to + 3 * stride) = __builtin_shuffle(high01, high23, QuadIndex{2, 3, 6, 7});
  }
#endif
  for (; i < floats; ++i, to += stride) {
    *reinterpret_cast<QuadU*>(to) = Quad{rows[0][from + i], rows[1][from + i], rows[2][from + i], rows[3][from + i]};
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

// A tile of one vector is the slowest: four are two and two.
FTWT_INLINE int64_t vectors_of_tile(int64_t left) {
  return left >= kMaxVectors ? (left == kMaxVectors + 1 ? kMaxVectors - 1 : kMaxVectors) : left;
}

FTWT_INLINE int64_t parts(int64_t count, int64_t largest) { return (count + largest - 1) / largest; }

// Calls body(vectors) for each tile of pixels, of which a copy is at `copied` where there shall be one.
template <typename Body>
FTWT_INLINE void for_each_tile(Tile& tile, float* room, const Body& body) {
  for (tile.pixel = 0; tile.pixel < tile.gemm->pixels;) {
    const int64_t vectors = vectors_of_tile(parts(tile.gemm->pixels - tile.pixel, kLanes));
    if (tile.copied != nullptr) copy_tile(tile, vectors, room);
    body(vectors);
    tile.pixel += vectors * kLanes;
  }
}

void run_block(Tile tile, const Rows& rows, float* room) {
  for_each_tile(tile, room, [&](int64_t vectors) { run_strip(tile, rows, vectors); });
}

// Reading weights costs a tile more than sums do, unless they lie one after the other: many pixels pay for a copy.
__attribute__((noinline)) void run_packed_block(Tile tile, const Rows& rows, float* room) {
  alignas(64) float panels[kWeights];
  const int64_t depth = (tile.column_end - tile.column_begin) * tile.gemm->taps;
  for_each_group(rows, kPanelRows, [&](int64_t begin, int64_t end) {
    pack_panel(tile, rows.index + begin, end - begin, panels + (begin - rows.begin) * depth);
  });
  for_each_tile(tile, room, [&](int64_t vectors) { run_panels(tile, rows, panels, depth, vectors); });
}

// Whole panels that were packed beforehand.
void run_given_panels(Tile tile, const Rows& rows, float* room) {
  const cpu::PlaneGemm& g = *tile.gemm;
  const int64_t row_floats = g.columns.count * g.taps;
  const float* panels = g.panels + rows.index[rows.begin] * row_floats + tile.column_begin * g.taps * kPanelRows;
  for_each_tile(tile, room, [&](int64_t vectors) { run_panels(tile, rows, panels, row_floats, vectors); });
}

}  // namespace

int64_t panel_rows() { return kPanelRows; }

// Blocks of the sum, then of rows, then tiles of pixels, then of rows: a tile of b is read from the first-level cache
// by all rows of a block, the block's weights from the second.
void plane_gemm(const cpu::PlaneGemm& g, cpu::ChannelList rows) {
  if (rows.count == 0) return;
  const bool packs =
      g.panels == nullptr && g.pixels >= kPixelsForPanels && rows.count >= kRowsForCopy && g.taps <= kPanelDepth;
  const bool in_panels = packs || g.panels != nullptr;
  // One tile of pixels is read too seldom to be worth it.
  const int64_t most_depth = g.panels != nullptr && g.taps == 1 && g.pixels <= kMaxVectors * kLanes ? INT32_MAX
                             : in_panels                                                            ? kPanelDepth
                                                                                                    : kDepth;
  const int64_t block_columns = most_depth / g.taps > 0 ? most_depth / g.taps : 1;
  const int64_t depths = g.columns.count > 0 ? parts(g.columns.count, block_columns) : 1;
  const int64_t depth = g.columns.count > 0 ? parts(g.columns.count, depths) * g.taps : 1;
  // Blocks of rows are whole panels but for the last.
  const int64_t panels = parts(rows.count, kPanelRows);
  const int64_t most_panels = kWeights / depth / kPanelRows;
  const int64_t blocks = parts(panels, most_panels > 0 ? most_panels : 1);
  const int64_t block_rows = rows.count / blocks;
  // A tile of which there is a copy has room for kPanelDepth.
  const bool worth_copying = block_rows >= (g.taps > 1 ? kRowsForCopy : kRowsForCopyOfOne);
  const bool must_copy = in_panels && (g.taps > 1 || (packs && !g.packed));
  const bool copies = depth <= most_depth && most_depth <= kPanelDepth && (must_copy || worth_copying);
  alignas(64) float room[kPanelDepth * kMaxVectors * kLanes];
  for (int64_t k = 0; k < depths; ++k) {
    Tile tile = {};
    tile.gemm = &g;
    tile.column_begin = g.columns.count * k / depths;
    tile.column_end = g.columns.count * (k + 1) / depths;
    if (copies) tile.copied = room;
    for (int64_t i = 0; i < blocks; ++i) {
      const int64_t end = panels * (i + 1) / blocks * kPanelRows;
      const Rows block = {rows.index, panels * i / blocks * kPanelRows, end < rows.count ? end : rows.count,
                          rows.count};
      if (g.panels != nullptr) {
        run_given_panels(tile, block, room);
      } else if (packs) {
        run_packed_block(tile, block, room);
      } else {
        run_block(tile, block, room);
      }
    }
  }
}

}  // namespace ftwt::FTWT_ISA
