#include "cpu/planes/gemm_tile.h"

// A window's products for a few rows of an image, straight to the output: vectors of pixels never cross a row.

namespace ftwt::FTWT_ISA {
namespace {

// Vectors of pixels of one tile: where each reads, writes, and how many of its lanes are pixels.
template <int NV>
struct Pixels {
  const float* b[NV];
  int64_t out[NV];
  int64_t count[NV];
};

template <int NV>
FTWT_INLINE Pixels<NV> pixels_at(const cpu::RowStrip& s, int64_t row_vectors, int64_t first) {
  Pixels<NV> pixels;
#pragma GCC unroll 4
  for (int v = 0; v < NV; ++v) {
    const int64_t y = (first + v) / row_vectors, x = (first + v) % row_vectors * kLanes;
    pixels.b[v] = s.b + y * s.b_row + x;
    pixels.out[v] = y * s.width + x;
    pixels.count[v] = s.width - x;
  }
  return pixels;
}

// Weights of a panel, or of rows where they lie.
template <bool Packed, int MR, int NV>
FTWT_INLINE void add_taps(const cpu::RowStrip& s, const float* panel, const int32_t* rows, const Pixels<NV>& pixels, Vec (&acc)[MR][NV]) {
  const float* b[NV];
#pragma GCC unroll 4
  for (int v = 0; v < NV; ++v) b[v] = pixels.b[v];
  const float* weights[MR];
  if constexpr (!Packed) {
#pragma GCC unroll 8
    for (int m = 0; m < MR; ++m) weights[m] = s.weights + rows[m] * s.row_stride;
  }
  const auto step = [&](int64_t column, int64_t t) __attribute__((always_inline)) {
    const int64_t offset = s.tap_offset[t];
    Vec x[NV];
#pragma GCC unroll 4
    for (int v = 0; v < NV; ++v) x[v] = load(b[v] + offset);
#pragma GCC unroll 8
    for (int m = 0; m < MR; ++m) {
      const Vec w = splat(Packed ? panel[m] : weights[m][column + t]);
#pragma GCC unroll 4
      for (int v = 0; v < NV; ++v) acc[m][v] += w * x[v];
    }
    if constexpr (Packed) panel += MR;
  };
  for (int64_t j = 0; j < s.columns; ++j) {
    const int64_t column = Packed ? 0 : s.column[j] * s.taps;
    if (s.taps == 9) {
#pragma GCC unroll 9
      for (int t = 0; t < 9; ++t) step(column, t);
    } else {
      for (int64_t t = 0; t < s.taps; ++t) step(column, t);
    }
#pragma GCC unroll 4
    for (int v = 0; v < NV; ++v) b[v] += s.b_stride;
  }
}

template <int MR, int NV>
__attribute__((noinline)) void row_tile(const cpu::RowStrip& s, const float* weights, const int32_t* rows,
                                        int64_t row_vectors, int64_t first) {
  const Pixels<NV> pixels = pixels_at<NV>(s, row_vectors, first);
  Vec acc[MR][NV];
#pragma GCC unroll 8
  for (int m = 0; m < MR; ++m) {
    const Vec bias = splat(s.bias != nullptr ? s.bias[rows[m]] : 0.0f);
#pragma GCC unroll 4
    for (int v = 0; v < NV; ++v) acc[m][v] = bias;
  }
  if (s.panels != nullptr) {
    add_taps<true, MR, NV>(s, weights, rows, pixels, acc);
  } else {
    add_taps<false, MR, NV>(s, weights, rows, pixels, acc);
  }
#pragma GCC unroll 8
  for (int m = 0; m < MR; ++m) {
    float* out = s.out + rows[m] * s.out_stride;
#pragma GCC unroll 4
    for (int v = 0; v < NV; ++v) {
      Vec sum = acc[m][v];
      if (s.residual != nullptr) {
        sum += load_some(s.residual + rows[m] * s.residual_stride + pixels.out[v], pixels.count[v]);
      }
      store_some(out + pixels.out[v], activate(sum, s.activation), pixels.count[v]);
    }
  }
}

template <int NV, int MR = kPanelRows>
FTWT_INLINE void run_rows(const cpu::RowStrip& s, const float* weights, const int32_t* rows, int64_t count,
                          int64_t row_vectors, int64_t first) {
  if constexpr (MR > 1) {
    if (count < MR) return run_rows<NV, MR - 1>(s, weights, rows, count, row_vectors, first);
  }
  row_tile<MR, NV>(s, weights, rows, row_vectors, first);
}

}  // namespace

void row_strip(const cpu::RowStrip& s, cpu::ChannelList rows) {
  const int64_t row_vectors = (s.width + kLanes - 1) / kLanes;
  const int64_t vectors = row_vectors * s.height;
  const int64_t depth = s.columns * s.taps;
  for (int64_t row = 0; row < rows.count; row += kPanelRows) {
    const int64_t count = rows.count - row < kPanelRows ? rows.count - row : kPanelRows;
    const float* weights = s.panels + row * depth;
    for (int64_t first = 0; first < vectors;) {
      const int64_t left = vectors - first;
      if (left == 1) {
        run_rows<1>(s, weights, rows.index + row, count, row_vectors, first);
        first += 1;
      } else if (left == 2 || left == 4) {
        run_rows<2>(s, weights, rows.index + row, count, row_vectors, first);
        first += 2;
      } else {
        run_rows<3>(s, weights, rows.index + row, count, row_vectors, first);
        first += 3;
      }
    }
  }
}

}  // namespace ftwt::FTWT_ISA
