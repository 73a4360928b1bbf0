// Pointers to the source rows of consecutive output pixels. Included by the sources compiled per instruction set.
#pragma once
#include "cpu/gemm/gemm.h"
#include "cpu/isa.h"

namespace ftwt::FTWT_ISA {
namespace {

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

// Source rows of every tap. `offsets` [taps] and `zeros` [depth] are the caller's memory.
class TapRows {
 public:
  TapRows(const cpu::TapWindow& window, int64_t* offsets, const float* zeros)
      : window_(window), offsets_(offsets), zeros_(zeros) {
    for (int64_t t = 0; t < window.taps; ++t) {
      const int64_t h = window.tap_h[t];
      const int64_t w = window.tap_w[t];
      offsets[t] = h * window.source_row_stride + w * window.source_pixel_stride;
      if (t == 0 || h < min_h_) min_h_ = h;
      if (t == 0 || h > max_h_) max_h_ = h;
      if (t == 0 || w < min_w_) min_w_ = w;
      if (t == 0 || w > max_w_) max_w_ = w;
    }
  }

  // rows[t * stride] = the row of tap t.
  inline __attribute__((always_inline)) void collect(const PixelCursor& at, const float** rows, int64_t stride) const {
    const int64_t h = at.i * window_.step_h;
    const int64_t w = at.j * window_.step_w;
    const float* base = window_.source + at.b * window_.source_batch_stride + h * window_.source_row_stride +
                        w * window_.source_pixel_stride;
    if (h + min_h_ >= 0 && h + max_h_ < window_.source_h && w + min_w_ >= 0 && w + max_w_ < window_.source_w) {
      for (int64_t t = 0; t < window_.taps; ++t) rows[t * stride] = base + offsets_[t];
      return;
    }
    for (int64_t t = 0; t < window_.taps; ++t) {
      const int64_t y = h + window_.tap_h[t];
      const int64_t x = w + window_.tap_w[t];
      const bool inside = y >= 0 && y < window_.source_h && x >= 0 && x < window_.source_w;
      rows[t * stride] = inside ? base + offsets_[t] : zeros_;
    }
  }

 private:
  const cpu::TapWindow& window_;
  const int64_t* offsets_;
  const float* zeros_;
  int64_t min_h_ = 0, max_h_ = 0, min_w_ = 0, max_w_ = 0;
};

}  // namespace
}  // namespace ftwt::FTWT_ISA
