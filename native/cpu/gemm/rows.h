// Pointers to the source rows of a block of consecutive output pixels. Included by the sources that are compiled per
// instruction set.
#pragma once
#include "cpu/gemm/gemm.h"
#include "cpu/isa.h"

namespace ftwt::FTWT_ISA {
namespace {

// With fewer channels than this the rows of all taps are copied together (im2col): a tap would be over before its
// pointers are loaded.
constexpr int64_t kSmallDepth = 8;

// Cuts one piece of memory into aligned parts; without memory it only adds up their sizes.
class Carver {
 public:
  explicit Carver(void* memory) : memory_(static_cast<char*>(memory)) {}
  template <typename T>
  T* take(int64_t count) {
    char* const part = memory_ == nullptr ? nullptr : memory_ + used_;
    used_ += (static_cast<size_t>(count) * sizeof(T) + 63) / 64 * 64;
    return reinterpret_cast<T*>(part);
  }
  size_t used() const { return used_; }

 private:
  char* memory_;
  size_t used_ = 0;
};

FTWT_INLINE int64_t smaller(int64_t a, int64_t b) { return a < b ? a : b; }
FTWT_INLINE int64_t larger(int64_t a, int64_t b) { return a > b ? a : b; }

struct PixelCursor {
  int64_t b, i, j;

  FTWT_INLINE PixelCursor at(const cpu::TapWindow& window, int64_t pixel) {
    const int64_t row = pixel / window.grid_w;
    return {row / window.grid_h, row % window.grid_h, pixel % window.grid_w};
  }
  // By at most the rest of the grid row.
  inline __attribute__((always_inline)) void advance(const cpu::TapWindow& window, int64_t pixels) {
    j += pixels;
    if (j < window.grid_w) return;
    j = 0;
    if (++i < window.grid_h) return;
    i = 0;
    ++b;
  }
};

template <typename Float>
FTWT_INLINE Float* pixel_row(const cpu::PixelRows<Float>& rows, const PixelCursor& at) {
  return rows.data + at.b * rows.batch_stride + at.i * rows.row_stride + at.j * rows.pixel_stride;
}

// Calls body(p, cursor, n) for each run of n pixels in one grid row, p counting from 0 to `count`.
template <typename Body>
FTWT_INLINE void for_each_run(const cpu::TapWindow& window, PixelCursor cursor, int64_t count, const Body& body) {
  for (int64_t p = 0; p < count;) {
    const int64_t n = smaller(count - p, window.grid_w - cursor.j);
    body(p, cursor, n);
    cursor.advance(window, n);
    p += n;
  }
}

// How far the taps reach.
struct TapBounds {
  int64_t min_h, max_h, min_w, max_w;
};

FTWT_INLINE TapBounds tap_bounds(const cpu::TapWindow& window) {
  TapBounds bounds = {};
  for (int64_t t = 0; t < window.taps; ++t) {
    const int64_t h = window.tap_h[t];
    const int64_t w = window.tap_w[t];
    bounds = t == 0 ? TapBounds{h, h, w, w}
                    : TapBounds{smaller(bounds.min_h, h), larger(bounds.max_h, h), smaller(bounds.min_w, w),
                                larger(bounds.max_w, w)};
  }
  return bounds;
}

// Where the rows of source pixels lie: the source itself, or a copy.
struct SourceRows {
  const float* data;
  int64_t batch_stride, row_stride, pixel_stride;
  const float* zeros;  // the row of a pixel outside the source
};

// Of at most kBlock pixels.
template <int64_t kBlock>
class RowBlock {
 public:
  // A tile at the end reads whole: its surplus rows repeat a valid one and are never written.
  static constexpr int64_t kTallestTile = 12;
  static constexpr int64_t kStride = kBlock + kTallestTile;

  RowBlock(const cpu::TapWindow& window, Carver* carver)
      : window_(window), copied_(window.taps > 1 && window.depth < kSmallDepth) {
    const int64_t some_taps = window.taps > 0 ? window.taps : 1;
    rows_ = carver->take<const float*>(some_taps * kStride);
    first_column_ = carver->take<int64_t>(some_taps);
    last_column_ = carver->take<int64_t>(some_taps);
    zeros_ = carver->take<float>(window.depth);
    copies_ = carver->take<float>(copied_ ? kBlock * window.taps * window.depth : 0);
  }

  // Call once, when there is memory.
  void prepare() {
    for (int64_t k = 0; k < window_.depth; ++k) zeros_[k] = 0;
    for (int64_t t = 0; t < window_.taps; ++t) {
      // j * step_w + tap_w lies in [0, source_w) for j in [first_column, last_column).
      const int64_t step = window_.step_w;
      const int64_t below = -window_.tap_w[t];
      const int64_t above = window_.source_w - window_.tap_w[t];
      first_column_[t] = below > 0 ? (below + step - 1) / step : 0;
      last_column_[t] = above > 0 ? (above + step - 1) / step : 0;
    }
  }

  // [taps(), kStride], each the row of depth() floats of one tap and pixel.
  const float* const* rows() const { return rows_; }
  // Those of the window, or one and taps * depth where rows are copied together.
  int64_t taps() const { return copied_ ? 1 : window_.taps; }
  int64_t depth() const { return copied_ ? window_.taps * window_.depth : window_.depth; }
  bool copied() const { return copied_; }

  SourceRows source() const {
    return {window_.source, window_.source_batch_stride, window_.source_row_stride, window_.source_pixel_stride,
            zeros_};
  }

  void collect(const PixelCursor& start, int64_t count, const SourceRows& source) {
    for_each_run(window_, start, count, [&](int64_t p, const PixelCursor& at, int64_t n) {
      const int64_t step = window_.step_w * source.pixel_stride;
      for (int64_t t = 0; t < window_.taps; ++t) {
        const int64_t h = at.i * window_.step_h + window_.tap_h[t];
        const int64_t w = at.j * window_.step_w + window_.tap_w[t];
        const bool inside = h >= 0 && h < window_.source_h;
        const int64_t begin = inside ? smaller(larger(first_column_[t] - at.j, 0), n) : n;
        const int64_t end = larger(smaller(last_column_[t] - at.j, n), begin);
        // An offset, not a pointer: outside the source it may point nowhere, and an empty source has no address.
        const int64_t first = at.b * source.batch_stride + h * source.row_stride + w * source.pixel_stride;
        const float** rows = rows_ + t * kStride + p;
        for (int64_t q = 0; q < begin; ++q) rows[q] = source.zeros;
        for (int64_t q = begin; q < end; ++q) rows[q] = source.data + (first + q * step);
        for (int64_t q = end; q < n; ++q) rows[q] = source.zeros;
      }
    });
    if (copied_) copy(count);
    for (int64_t t = 0; t < taps(); ++t) {
      const float** rows = rows_ + t * kStride + count;
      for (int64_t p = 0; p < kTallestTile; ++p) rows[p] = rows[-1];
    }
  }

 private:
  void copy(int64_t count) {
    switch (window_.depth) {
      case 1: return copy_rows<1>(count);
      case 3: return copy_rows<3>(count);
      default: return copy_rows<0>(count);
    }
  }

  template <int64_t kDepth>  // 0: as the window says
  void copy_rows(int64_t count) {
    const int64_t taps = window_.taps;
    const int64_t depth = kDepth > 0 ? kDepth : window_.depth;
    const int64_t size = taps * depth;
    for (int64_t t = 0; t < taps; ++t) {
      const float* const* rows = rows_ + t * kStride;
      float* copy = copies_ + t * depth;
      for (int64_t p = 0; p < count; ++p, copy += size) {
#pragma GCC unroll 4
        for (int64_t k = 0; k < depth; ++k) copy[k] = rows[p][k];
      }
    }
    for (int64_t p = 0; p < count; ++p) rows_[p] = copies_ + p * size;
  }

  const cpu::TapWindow& window_;
  const bool copied_;
  const float** rows_;     // [taps, kStride]
  int64_t* first_column_;  // [taps]
  int64_t* last_column_;   // [taps]
  float* zeros_;           // [depth]
  float* copies_;          // [kBlock, taps * depth]
};

}  // namespace
}  // namespace ftwt::FTWT_ISA
