#include "cpu/planes/gemm_tile.h"

namespace ftwt::FTWT_ISA {
namespace {

// Rows and vectors of pixels that are computed together.
struct RowTile {
  const cpu::RowStrip* strip;
  const int32_t* rows;
  const float* panel;  // of the rows, or none
  int64_t y, x;        // the first pixel
};

// Where the tile's vectors lie, and how many of their lanes are pixels.
template <int NV>
struct Pixels {
  const float* b[NV];
  int64_t out[NV];
  int64_t count[NV];
};

FTWT_INLINE void next_vector(const cpu::RowStrip& s, int64_t& y, int64_t& x) {
  x += kLanes;
  if (x < s.width) return;
  x = 0;
  ++y;
}

template <int NV>
FTWT_INLINE Pixels<NV> pixels_of(const RowTile& tile) {
  const cpu::RowStrip& s = *tile.strip;
  Pixels<NV> pixels;
  int64_t y = tile.y, x = tile.x;
#pragma GCC unroll 4
  for (int v = 0; v < NV; ++v) {
    pixels.b[v] = s.b + y * s.b_row + x;
    pixels.out[v] = y * s.width + x;
    pixels.count[v] = s.width - x;
    next_vector(s, y, x);
  }
  return pixels;
}

template <bool Panel, int MR, int NV>
FTWT_INLINE void add_taps(const RowTile& tile, const Pixels<NV>& pixels, Vec (&acc)[MR][NV]) {
  const cpu::RowStrip& s = *tile.strip;
  const float* panel = tile.panel;
  const float* weights[MR];
  const float* b[NV];
  if constexpr (!Panel) {
#pragma GCC unroll 8
    for (int m = 0; m < MR; ++m) weights[m] = s.weights + tile.rows[m] * s.row_stride;
  }
#pragma GCC unroll 4
  for (int v = 0; v < NV; ++v) b[v] = pixels.b[v];
  const auto step = [&](int64_t column, int64_t tap) __attribute__((always_inline)) {
    const int64_t offset = s.tap_offset[tap];
    Vec x[NV];
#pragma GCC unroll 4
    for (int v = 0; v < NV; ++v) x[v] = load(b[v] + offset);
    const auto weight = [&](int m) __attribute__((always_inline)) {
      return Panel ? panel[m] : weights[m][column + tap];
    };
    add_product(x, weight, acc);
    if constexpr (Panel) panel += MR;
  };
  for (int64_t j = 0; j < s.columns.count; ++j) {
    const int64_t column = s.columns.index[j] * s.taps;
    if (s.taps == 9) {
#pragma GCC unroll 9
      for (int64_t tap = 0; tap < 9; ++tap) step(column, tap);
    } else {
      for (int64_t tap = 0; tap < s.taps; ++tap) step(column, tap);
    }
#pragma GCC unroll 4
    for (int v = 0; v < NV; ++v) b[v] += s.b_stride;
  }
}

template <int MR, int NV>
__attribute__((noinline)) void row_tile(const RowTile& tile) {
  const cpu::RowStrip& s = *tile.strip;
  const Pixels<NV> pixels = pixels_of<NV>(tile);
  Vec acc[MR][NV];
#pragma GCC unroll 8
  for (int m = 0; m < MR; ++m) {
    const Vec bias = splat(s.bias != nullptr ? s.bias[tile.rows[m]] : 0.0f);
#pragma GCC unroll 4
    for (int v = 0; v < NV; ++v) acc[m][v] = bias;
  }
  if (tile.panel != nullptr) {
    add_taps<true>(tile, pixels, acc);
  } else {
    add_taps<false>(tile, pixels, acc);
  }
#pragma GCC unroll 8
  for (int m = 0; m < MR; ++m) {
    float* out = s.out + tile.rows[m] * s.out_stride;
#pragma GCC unroll 4
    for (int v = 0; v < NV; ++v) {
      Vec sum = acc[m][v];
      if (s.residual != nullptr) {
        sum += load_some(s.residual + tile.rows[m] * s.residual_stride + pixels.out[v], pixels.count[v]);
      }
      store_some(out + pixels.out[v], activate(sum, s.activation), pixels.count[v]);
    }
  }
}

template <int NV, int MR = kPanelRows>
FTWT_INLINE void run_panel(const RowTile& tile, int64_t rows) {
  if constexpr (MR > 1) {
    if (rows < MR) return run_panel<NV, MR - 1>(tile, rows);
  }
  row_tile<MR, NV>(tile);
}

}  // namespace

// Panels outermost: a panel is read from the first-level cache by all pixels, the strip's planes from the second.
void row_strip(const cpu::RowStrip& strip, cpu::ChannelList rows) {
  RowTile tile = {};
  tile.strip = &strip;
  const int64_t vectors = (strip.width + kLanes - 1) / kLanes * strip.height;
  for (int64_t row = 0; row < rows.count; row += kPanelRows) {
    const int64_t count = rows.count - row < kPanelRows ? rows.count - row : kPanelRows;
    tile.rows = rows.index + row;
    if (strip.panels != nullptr) tile.panel = strip.panels + row * strip.columns.count * strip.taps;
    tile.y = tile.x = 0;
    for (int64_t left = vectors; left > 0;) {
      const int64_t taken = vectors_of_tile(left);
      switch (taken) {
        case 1: run_panel<1>(tile, count); break;
        case 2: run_panel<2>(tile, count); break;
        default: run_panel<kMaxVectors>(tile, count); break;
      }
      for (int64_t v = 0; v < taken; ++v) next_vector(strip, tile.y, tile.x);
      left -= taken;
    }
  }
}

}  // namespace ftwt::FTWT_ISA
