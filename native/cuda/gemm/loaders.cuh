// Fill tiles from global memory, one call of `load` for each step of kDepth. The four forms are those of problem.h.
// `prepare` runs a barrier ahead of the `load` that needs it.
#pragma once
#include "cuda/device.cuh"
#include "cuda/gemm/digits.cuh"
#include "cuda/gemm/tiles.cuh"

namespace ftwt::cuda::gemm {

// Where a grid pixel meets the source with tap (0, 0); `h` is far below 0 where there is no such pixel.
struct SourcePixel {
  int64_t offset;
  int h, w;
};

__device__ __forceinline__ SourcePixel source_pixel(const Window& window, const GemmPart& part, const Digits& pixel) {
  if (pixel.high >= window.images) return {0, INT32_MIN / 2, 0};
  const int h = pixel.middle * window.step_h + part.origin_h;
  const int w = pixel.low * window.step_w + part.origin_w;
  return {((static_cast<int64_t>(pixel.high) * window.h + h) * window.w + w) * window.c, h, w};
}

// Four channels of the source, or zeros outside.
__device__ __forceinline__ void load_source(const Window& window, const float* source, float* to,
                                            const SourcePixel& pixel, int move_h, int move_w, int64_t move,
                                            bool inside) {
  inside = inside && static_cast<unsigned>(pixel.h + move_h) < static_cast<unsigned>(window.h) &&
           static_cast<unsigned>(pixel.w + move_w) < static_cast<unsigned>(window.w);
  cp_async<16>(to, inside ? source + (pixel.offset + move) : source, inside ? 16 : 0);
}

template <class Tile, int kThreads>
class WindowRows {
  static_assert(Tile::kAlongDepth, "channels lie in one piece");
  static constexpr int kVectors = kDepth / 4;
  static constexpr int kRowsAtOnce = kThreads / kVectors;
  static_assert(Tile::kSize % kRowsAtOnce == 0, "every thread loads as many vectors");

 public:
  static constexpr int kPixels = Tile::kSize;
  static Radix __device__ __forceinline__ row_radix(const GemmProblem&, const GemmPart& part) {
    return {part.grid_h, part.grid_w};
  }

  __device__ __forceinline__ WindowRows(const GemmProblem& p, const GemmPart& part, const float* source,
                                        int64_t first_row, int64_t first_step, SourcePixel* pixels)
      : window_(p.a), part_(part), source_(source), pixels_(pixels) {
    for (int row = static_cast<int>(threadIdx.x); row < Tile::kSize; row += kThreads) {
      pixels[row] = source_pixel(window_, part, digits_of(first_row + row, row_radix(p, part)));
    }
    k_ = digits_of(first_step * kDepth + static_cast<int>(threadIdx.x) % kVectors * 4, depth_radix());
    step_ = digits_of(kDepth, depth_radix());
  }

  __device__ __forceinline__ void prepare() {}

  __device__ __forceinline__ void load(float* tile) {
    const int thread = static_cast<int>(threadIdx.x);
    const bool inside = k_.high < part_.taps_h;
    const int move_h = k_.high * window_.move_h;
    const int move_w = k_.middle * window_.move_w;
    const int64_t move = (static_cast<int64_t>(move_h) * window_.w + move_w) * window_.c + k_.low;
#pragma unroll
    for (int i = 0; i < Tile::kSize / kRowsAtOnce; ++i) {
      const int row = thread / kVectors + i * kRowsAtOnce;
      load_source(window_, source_, tile + Tile::at(row, thread % kVectors * 4), pixels_[row], move_h, move_w, move,
                  inside);
    }
    k_ = plus(k_, step_, depth_radix());
  }

 private:
  __device__ __forceinline__ Radix depth_radix() const { return {part_.taps_w, window_.c}; }

  const Window& window_;
  const GemmPart& part_;
  const float* source_;
  SourcePixel* pixels_;  // [rows], shared
  Digits k_;             // (s, t, channel) of this thread's vectors in the next step
  Digits step_;
};

template <class Tile, int kThreads>
class WindowColumns {
  static_assert(!Tile::kAlongDepth, "channels lie in one piece");
  static constexpr int kVectors = Tile::kSize / 4;
  static constexpr int kRowsAtOnce = kThreads / kVectors;
  static_assert(kDepth % kRowsAtOnce == 0, "every thread loads as many vectors");

 public:
  static constexpr int kPixels = 2 * kDepth;  // of the step that is loaded and of the next
  static Radix __device__ __forceinline__ row_radix(const GemmProblem& p, const GemmPart& part) {
    return {part.taps_w, p.a.c};
  }

  __device__ __forceinline__ WindowColumns(const GemmProblem& p, const GemmPart& part, const float* source,
                                           int64_t first_row, int64_t first_step, SourcePixel* pixels)
      : window_(p.a), part_(part), source_(source), pixels_(pixels) {
    const Digits row = digits_of(first_row + static_cast<int>(threadIdx.x) % kVectors * 4, row_radix(p, part));
    inside_ = row.high < part.taps_h;
    move_h_ = row.high * window_.move_h;
    move_w_ = row.middle * window_.move_w;
    move_ = (static_cast<int64_t>(move_h_) * window_.w + move_w_) * window_.c + row.low;
    pixel_ = digits_of(first_step * kDepth + static_cast<int>(threadIdx.x) % kDepth, pixel_radix());
    step_ = digits_of(kDepth, pixel_radix());
    prepare();
  }

  __device__ __forceinline__ void prepare() {
    if (threadIdx.x < kDepth) pixels_[prepared_ * kDepth + threadIdx.x] = source_pixel(window_, part_, pixel_);
    pixel_ = plus(pixel_, step_, pixel_radix());
    prepared_ ^= 1;
  }

  __device__ __forceinline__ void load(float* tile) {
    const int thread = static_cast<int>(threadIdx.x);
#pragma unroll
    for (int i = 0; i < kDepth / kRowsAtOnce; ++i) {
      const int k = thread / kVectors + i * kRowsAtOnce;
      load_source(window_, source_, tile + Tile::at(thread % kVectors * 4, k), pixels_[(prepared_ ^ 1) * kDepth + k],
                  move_h_, move_w_, move_, inside_);
    }
  }

 private:
  __device__ __forceinline__ Radix pixel_radix() const { return {part_.grid_h, part_.grid_w}; }

  const Window& window_;
  const GemmPart& part_;
  const float* source_;
  SourcePixel* pixels_;  // [2, kDepth], shared
  bool inside_;
  int move_h_, move_w_;
  int64_t move_;
  Digits pixel_;  // the one that this thread prepares next
  Digits step_;
  int prepared_ = 0;
};

template <class Tile, int kThreads>
class Rows {
  static_assert(!Tile::kAlongDepth, "a row lies in one piece");
  static constexpr int kVectors = Tile::kSize / 4;
  static constexpr int kRowsAtOnce = kThreads / kVectors;
  static_assert(kDepth % kRowsAtOnce == 0, "every thread loads as many vectors");

 public:
  __device__ __forceinline__ Rows(const GemmProblem& p, const GemmPart& part, const float* data, int first_column,
                                  int64_t first_step)
      : b_(p.b) {
    const int thread = static_cast<int>(threadIdx.x);
    const int column = first_column + thread % kVectors * 4;
    const int64_t k = first_step * kDepth + thread / kVectors;
    left_ = column < p.b.columns ? static_cast<int>(part.depth - k) : 0;
    next_ = left_ > 0 ? data + (k * p.b.row + column) : data;
  }

  __device__ __forceinline__ void load(float* tile) {
    const int thread = static_cast<int>(threadIdx.x);
#pragma unroll
    for (int i = 0; i < kDepth / kRowsAtOnce; ++i) {
      const bool inside = left_ > i * kRowsAtOnce;
      cp_async<16>(tile + Tile::at(thread % kVectors * 4, thread / kVectors + i * kRowsAtOnce),
                   inside ? next_ + i * kRowsAtOnce * b_.row : b_.data, inside ? 16 : 0);
    }
    left_ -= kDepth;
    next_ += kDepth * b_.row;
  }

 private:
  const MatrixB& b_;
  const float* next_;  // where this thread's first vector of the next step lies
  int left_;           // rows from there to the end; none for a column beyond it
};

template <class Tile, int kThreads>
class Columns {
  static_assert(Tile::kAlongDepth, "a column lies in pieces");
  static constexpr int kVectors = kDepth / 4;
  static constexpr int kRowsAtOnce = kThreads / kVectors;
  static_assert(Tile::kSize % kRowsAtOnce == 0, "every thread loads as many vectors");

 public:
  __device__ __forceinline__ Columns(const GemmProblem& p, const GemmPart& part, const float* data, int first_column,
                                     int64_t first_step)
      : b_(p.b), part_(part), data_(data), columns_(p.columns) {
    const int thread = static_cast<int>(threadIdx.x);
    column_ = first_column + thread / kVectors;
    k_ = digits_of(first_step * kDepth + thread % kVectors * 4, depth_radix());
    step_ = digits_of(kDepth, depth_radix());
  }

  __device__ __forceinline__ void load(float* tile) {
    const int thread = static_cast<int>(threadIdx.x);
    const float* const from = data_ + (k_.high * b_.tap_high + k_.middle * b_.tap_low + k_.low);
#pragma unroll
    for (int i = 0; i < Tile::kSize / kRowsAtOnce; ++i) {
      const int column = column_ + i * kRowsAtOnce;
      const bool inside = column < columns_ && k_.high < part_.taps_h;
      cp_async<16>(tile + Tile::at(thread / kVectors + i * kRowsAtOnce, thread % kVectors * 4),
                   inside ? from + column * b_.row : b_.data, inside ? 16 : 0);
    }
    k_ = plus(k_, step_, depth_radix());
  }

 private:
  __device__ __forceinline__ Radix depth_radix() const { return {part_.taps_w, b_.piece}; }

  const MatrixB& b_;
  const GemmPart& part_;
  const float* data_;
  int columns_, column_;
  Digits k_, step_;
};

}  // namespace ftwt::cuda::gemm
