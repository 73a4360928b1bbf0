// Pointers to the source rows of a block of consecutive output pixels. Included by the sources that are compiled per
// instruction set.
#pragma once
#include "cpu/gemm/gemm.h"
#include "cpu/isa.h"

namespace ftwt::FTWT_ISA {
namespace {

// Pixels of a block: a multiple of every tile height, and few enough that their source rows stay in the second-level
// cache while all panels pass over them.
constexpr int64_t kBlock = 192;

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

struct PixelCursor {
  int64_t b, i, j;

  FTWT_INLINE PixelCursor at(const cpu::TapWindow& window, int64_t pixel) {
    const int64_t row = pixel / window.grid_w;
    return {row / window.grid_h, row % window.grid_h, pixel % window.grid_w};
  }
  inline __attribute__((always_inline)) void advance(const cpu::TapWindow& window) {
    if (++j < window.grid_w) return;
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

class RowBlock {
 public:
  RowBlock(const cpu::TapWindow& window, Carver* carver)
      : window_(window), copied_(window.taps > 1 && window.depth < kSmallDepth) {
    const int64_t some_taps = window.taps > 0 ? window.taps : 1;
    rows_ = carver->take<const float*>(some_taps * kBlock);
    offsets_ = carver->take<int64_t>(some_taps);
    zeros_ = carver->take<float>(window.depth);
    copies_ = carver->take<float>(copied_ ? kBlock * window.taps * window.depth : 0);
  }

  // Call once, when there is memory.
  void prepare() {
    for (int64_t k = 0; k < window_.depth; ++k) zeros_[k] = 0;
    for (int64_t t = 0; t < window_.taps; ++t) {
      const int64_t h = window_.tap_h[t];
      const int64_t w = window_.tap_w[t];
      offsets_[t] = h * window_.source_row_stride + w * window_.source_pixel_stride;
      if (t == 0 || h < min_h_) min_h_ = h;
      if (t == 0 || h > max_h_) max_h_ = h;
      if (t == 0 || w < min_w_) min_w_ = w;
      if (t == 0 || w > max_w_) max_w_ = w;
    }
  }

  // [taps(), kBlock], each the row of depth() floats of one tap and pixel.
  const float* const* rows() const { return rows_; }
  // Those of the window, or one and taps * depth where rows are copied together.
  int64_t taps() const { return copied_ ? 1 : window_.taps; }
  int64_t depth() const { return copied_ ? window_.taps * window_.depth : window_.depth; }

  // The rows of pixel `p` of the block, which is `at`.
  inline __attribute__((always_inline)) void set(int64_t p, const PixelCursor& at) {
    const float** rows = rows_ + p;
    const int64_t h = at.i * window_.step_h;
    const int64_t w = at.j * window_.step_w;
    const float* base = window_.source + at.b * window_.source_batch_stride + h * window_.source_row_stride +
                        w * window_.source_pixel_stride;
    if (h + min_h_ >= 0 && h + max_h_ < window_.source_h && w + min_w_ >= 0 && w + max_w_ < window_.source_w) {
      for (int64_t t = 0; t < window_.taps; ++t) rows[t * kBlock] = base + offsets_[t];
      return;
    }
    for (int64_t t = 0; t < window_.taps; ++t) {
      const int64_t y = h + window_.tap_h[t];
      const int64_t x = w + window_.tap_w[t];
      const bool inside = y >= 0 && y < window_.source_h && x >= 0 && x < window_.source_w;
      rows[t * kBlock] = inside ? base + offsets_[t] : zeros_;
    }
  }

  // After all `count` pixels are set.
  void finish(int64_t count) {
    if (copied_) copy(count);
    // A tile at the end reads whole: its surplus rows repeat a valid one and are never written.
    constexpr int64_t kTallestTile = 12;
    for (int64_t t = 0; t < taps() && count < kBlock; ++t) {
      const float** rows = rows_ + t * kBlock;
      for (int64_t p = count; p < count + kTallestTile && p < kBlock; ++p) rows[p] = rows[count - 1];
    }
  }

 private:
  void copy(int64_t count) {
    const int64_t size = window_.taps * window_.depth;
    for (int64_t p = 0; p < count; ++p) {
      float* copy = copies_ + p * size;
      for (int64_t t = 0; t < window_.taps; ++t) {
        const float* row = rows_[t * kBlock + p];
        for (int64_t k = 0; k < window_.depth; ++k) *copy++ = row[k];
      }
    }
    for (int64_t p = 0; p < count; ++p) rows_[p] = copies_ + p * size;
  }

  const cpu::TapWindow& window_;
  const bool copied_;
  const float** rows_;  // [taps, kBlock]
  int64_t* offsets_;    // [taps], from the row of the tap (0, 0)
  float* zeros_;        // [depth]
  float* copies_;       // [kBlock, taps * depth]
  int64_t min_h_ = 0, max_h_ = 0, min_w_ = 0, max_w_ = 0;
};

}  // namespace
}  // namespace ftwt::FTWT_ISA
