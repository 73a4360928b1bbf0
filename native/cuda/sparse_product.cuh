// The operands of one sample's product, and their way into the tiles of sparse_tile.cuh: packed pixels, and the
// filter's active rows and columns.
#pragma once
#include <cuda_runtime.h>

#include <climits>
#include <cstdint>

#include "cuda/active_channels.cuh"
#include "cuda/device.cuh"
#include "cuda/sparse_tile.cuh"
#include "ops/activation.h"

namespace ftwt::cuda {

// One dimension of the pixels that a launch computes, and of the taps that they meet.
struct WindowAxis {
  int rows;                       // pixels
  int target_size;                // of the array that they lie in
  int first_target, target_step;  // pixel i is first_target + i * target_step there
  int source_size;
  int first_move, move_step, source_step;  // with tap t it meets i * source_step + first_move + t * move_step
  int taps;
  int first_tap, tap_step;  // tap t is first_tap + t * tap_step of the filter
};

struct SparseProduct {
  WindowAxis h, w;
  ActiveChannels depth, columns;
  const float* source;    // packed [n, source pixels, depth]
  const float* filter;    // [taps, depth.c, columns.c]
  float* target;          // [n, target pixels, columns.c], or packed
  const float* bias;      // [columns.c], or nullptr
  const float* residual;  // as the target that is not packed, or nullptr
  Activation activation;
  bool packed;  // the target
  int filter_w;
  int row_tiles, column_tiles;
};

// A place in the depth of the product: a packed channel of a tap.
struct DepthCursor {
  int channel, tap_h, tap_w;

  __device__ __forceinline__ void advance(int steps, int channels, int taps_w) {
    channel += steps;
    while (channel >= channels) {
      channel -= channels;
      if (++tap_w == taps_w) {
        tap_w = 0;
        ++tap_h;
      }
    }
  }
};

// Copies the rows of a tile: four packed channels of one tap at a time.
template <class Tile>
class PixelLoader {
 public:
  __device__ PixelLoader(const SparseProduct& p, int64_t sample, int first_row, int channels)
      : p_(p), channels_(channels), cursor_{static_cast<int>(threadIdx.x) % kQuads * 4, 0, 0} {
    source_ = p.source + sample * p.h.source_size * p.w.source_size * packed_channels(p.depth.c);
    cursor_.advance(0, channels_, p_.w.taps);
#pragma unroll
    for (int i = 0; i < kPerThread; ++i) {
      const int row = first_row + own_row() + i * kRowStep;
      h_[i] = row < p.h.rows * p.w.rows ? row / p.w.rows * p.h.source_step + p.h.first_move : kOutside;
      w_[i] = row % p.w.rows * p.w.source_step + p.w.first_move;
    }
  }

  __device__ __forceinline__ void load(float* a) {
    const bool inside = cursor_.tap_h < p_.h.taps;
    const int move_h = cursor_.tap_h * p_.h.move_step, move_w = cursor_.tap_w * p_.w.move_step;
    float* to = a + own_row() * kStrideA + static_cast<int>(threadIdx.x) % kQuads * 4;
#pragma unroll
    for (int i = 0; i < kPerThread; ++i) {
      if (own_row() + i * kRowStep >= Tile::kRows) break;
      const int h = h_[i] + move_h, w = w_[i] + move_w;
      const bool hit = inside && static_cast<unsigned>(h) < static_cast<unsigned>(p_.h.source_size) &&
                       static_cast<unsigned>(w) < static_cast<unsigned>(p_.w.source_size);
      const int64_t pixel = hit ? static_cast<int64_t>(h) * p_.w.source_size + w : 0;
      const float* from = hit ? source_ + pixel * channels_ + cursor_.channel : p_.source;
      cp_async<16>(to + i * kRowStep * kStrideA, from, hit ? 16 : 0);
    }
    cursor_.advance(kTileDepth, channels_, p_.w.taps);
  }

 private:
  static constexpr int kQuads = kTileDepth / 4;
  static constexpr int kRowStep = Tile::kThreads / kQuads;
  static constexpr int kPerThread = (Tile::kRows + kRowStep - 1) / kRowStep;
  static constexpr int kOutside = INT_MIN / 2;

  static __device__ __forceinline__ int own_row() { return static_cast<int>(threadIdx.x) / kQuads; }

  const SparseProduct& p_;
  const float* source_;
  int channels_;
  DepthCursor cursor_;
  int h_[kPerThread], w_[kPerThread];
};

// Gathers the columns of a tile from the filter.
template <class Tile>
class FilterLoader {
 public:
  __device__ FilterLoader(const SparseProduct& p, int64_t sample, int first_column, int channels)
      : p_(p),
        depth_list_(p.depth.list(sample)),
        depth_count_(p.depth.count(sample)),
        channels_(channels),
        cursor_{own_depth(), 0, 0} {
    const int32_t* list = p.columns.list(sample);
    const int count = p.columns.count(sample);
#pragma unroll
    for (int i = 0; i < kPerThread; ++i) {
      const int column = first_column + own_column() + i * kColumnStep;
      columns_[i] = column < count ? list[column] : -1;
    }
    cursor_.advance(0, channels_, p_.w.taps);
    look_up();
  }

  __device__ __forceinline__ void load(float* b) {
    const bool inside = cursor_.tap_h < p_.h.taps && depth_channel_ >= 0;
    const int tap =
        (p_.h.first_tap + cursor_.tap_h * p_.h.tap_step) * p_.filter_w + p_.w.first_tap + cursor_.tap_w * p_.w.tap_step;
    const int64_t row = inside ? (static_cast<int64_t>(tap) * p_.depth.c + depth_channel_) * p_.columns.c : 0;
    float* to = b + own_depth() * kStrideB + own_column();
#pragma unroll
    for (int i = 0; i < kPerThread; ++i) {
      const bool hit = inside && columns_[i] >= 0;
      cp_async<4>(to + i * kColumnStep, hit ? p_.filter + row + columns_[i] : p_.filter, hit ? 4 : 0);
    }
    cursor_.advance(kTileDepth, channels_, p_.w.taps);
    look_up();
  }

 private:
  static constexpr int kColumnStep = Tile::kThreads / kTileDepth;
  static constexpr int kPerThread = kTileColumns / kColumnStep;

  static __device__ __forceinline__ int own_depth() { return static_cast<int>(threadIdx.x) / kColumnStep; }
  static __device__ __forceinline__ int own_column() { return static_cast<int>(threadIdx.x) % kColumnStep; }

  // A step ahead, so that nothing waits for the list.
  __device__ __forceinline__ void look_up() {
    depth_channel_ = cursor_.channel < depth_count_ ? depth_list_[cursor_.channel] : -1;
  }

  const SparseProduct& p_;
  const int32_t* depth_list_;
  int depth_count_, channels_;
  DepthCursor cursor_;
  int depth_channel_;
  int columns_[kPerThread];
};

}  // namespace ftwt::cuda
