// The operands of one sample's product, and their way into the tiles of sparse_tile.cuh: packed pixels, and the
// filter's active rows and columns.
#pragma once
#include <cuda_runtime.h>

#include <climits>
#include <cstdint>

#include "cuda/active_channels.cuh"
#include "cuda/device.cuh"
#include "cuda/sparse_tile.cuh"
#include "cuda/window_axis.h"
#include "ops/activation.h"

namespace ftwt::cuda {

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
  int64_t n;
  // What the launcher fills in; see channel_sparse_conv2d.cu.
  int row_tiles = 0, column_tiles = 0;
  int splits = 1, groups = 1;
  float* partials = nullptr;  // [tiles, splits, rows, columns]; where groups > 1
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
  __device__ PixelLoader(const SparseProduct& p, int64_t sample, int first_row, int channels, int first_step)
      : p_(p), channels_(channels), cursor_{own_channel(), 0, 0} {
    source_ = p.source + sample * p.h.source_size * p.w.source_size * packed_channels(p.depth.c);
    cursor_.advance(first_step * kTileDepth, channels_, p_.w.taps);
#pragma unroll
    for (int i = 0; i < kPerThread; ++i) {
      const int last = p.h.rows * p.w.rows - 1, wanted = first_row + own_row() + i * kRowStep;
      const int row = min(wanted, last);
      h_[i] = row / p.w.rows * p.h.source_step + p.h.first_move;
      w_[i] = row % p.w.rows * p.w.source_step + p.w.first_move;
      offset_[i] = (h_[i] * p.w.source_size + w_[i]) * channels_;
      if (wanted > last) h_[i] = kOutside;
    }
  }

  __device__ __forceinline__ void load(float* a) {
    const bool inside = cursor_.tap_h < p_.h.taps;
    const int move_h = cursor_.tap_h * p_.h.move_step, move_w = cursor_.tap_w * p_.w.move_step;
    const int offset = (move_h * p_.w.source_size + move_w) * channels_ + cursor_.channel;
    float* to = a + own_row() * kStrideA + own_channel();
#pragma unroll
    for (int i = 0; i < kPerThread; ++i) {
      if (own_row() + i * kRowStep >= Tile::kRows) break;
      const bool hit = inside && static_cast<unsigned>(h_[i] + move_h) < static_cast<unsigned>(p_.h.source_size) &&
                       static_cast<unsigned>(w_[i] + move_w) < static_cast<unsigned>(p_.w.source_size);
      cp_async<16>(to + i * kRowStep * kStrideA, source_ + (hit ? offset_[i] + offset : 0), hit ? 16 : 0);
    }
    cursor_.advance(kTileDepth, channels_, p_.w.taps);
  }

 private:
  static constexpr int kQuads = kTileDepth / 4;
  static constexpr int kRowStep = Tile::kThreads / kQuads;
  static constexpr int kPerThread = (Tile::kRows + kRowStep - 1) / kRowStep;
  static constexpr int kOutside = INT_MIN / 2;

  static __device__ __forceinline__ int own_row() { return static_cast<int>(threadIdx.x) / kQuads; }
  static __device__ __forceinline__ int own_channel() { return static_cast<int>(threadIdx.x) % kQuads * 4; }

  const SparseProduct& p_;
  const float* source_;
  int channels_;
  DepthCursor cursor_;
  int h_[kPerThread], w_[kPerThread], offset_[kPerThread];
};

// Gathers the columns of a tile from the filter: a warp takes whole rows, so that a load touches few lines. Which rows
// they are is worked out by the first threads, a step ahead. What lies beyond the last channel of the depth is read
// from that channel, and meets zeros; nobody takes columns beyond the last one. Through registers, loads of scattered
// columns take fewer passes than copies (up to 15 % of a product, H200), but each of the first steps waits for its own.
template <class Tile, bool kThroughRegisters>
class FilterLoader {
 public:
  struct Room {
    int rows[2][kTileDepth];
  };

  // There are active channels on both sides.
  __device__ FilterLoader(const SparseProduct& p, int64_t sample, int first_column, int columns, int channels,
                          int first_step, Room& room)
      : p_(p),
        room_(room),
        depth_list_(p.depth.list(sample)),
        last_(p.depth.count(sample) - 1),
        channels_(channels),
        cursor_{static_cast<int>(threadIdx.x), 0, 0} {
    const int32_t* list = p.columns.list(sample);
    sets_ = (columns - 1) / 32 + 1;
#pragma unroll
    for (int i = 0; i < kSets; ++i) columns_[i] = list[first_column + min(lane() + 32 * i, columns - 1)];
    cursor_.advance(first_step * kTileDepth, channels_, p_.w.taps);
    look_up();
    prepare();
  }

  // After a barrier behind the call before, or behind the constructor. `b` may be read after `finish`, or after
  // cp_async_wait where nothing goes through registers, and a barrier.
  __device__ __forceinline__ void begin(float* b) {
#pragma unroll
    for (int i = 0; i < kRowsOfWarp; ++i) {
      const float* from = p_.filter + static_cast<int64_t>(room_.rows[current_][warp() + i * kWarps]) * p_.columns.c;
#pragma unroll
      for (int set = 0; set < kSets; ++set) {
        if (set >= sets_) break;
        if constexpr (kThroughRegisters) {
          values_[i][set] = from[columns_[set]];
        } else {
          cp_async<4>(b + place(i, set), from + columns_[set]);
        }
      }
    }
    current_ ^= 1;
    prepare();
  }

  // Behind the work that hides the loads.
  __device__ __forceinline__ void finish(float* b) const {
    if constexpr (kThroughRegisters) {
#pragma unroll
      for (int i = 0; i < kRowsOfWarp; ++i) {
#pragma unroll
        for (int set = 0; set < kSets; ++set) {
          if (set < sets_) b[place(i, set)] = values_[i][set];
        }
      }
    }
  }

 private:
  static constexpr int kWarps = Tile::kThreads / 32;
  static constexpr int kSets = kTileColumns / 32;
  static constexpr int kRowsOfWarp = kTileDepth / kWarps;
  static_assert(kTileDepth % kWarps == 0 && kTileColumns % 32 == 0);

  static __device__ __forceinline__ int warp() { return static_cast<int>(threadIdx.x) / 32; }
  static __device__ __forceinline__ int lane() { return static_cast<int>(threadIdx.x) % 32; }
  static __device__ __forceinline__ int place(int i, int set) {
    return (warp() + i * kWarps) * kStrideB + lane() + 32 * set;
  }

  // The rows of the next load.
  __device__ __forceinline__ void prepare() {
    if (threadIdx.x >= kTileDepth) return;
    const int tap_h = p_.h.first_tap + min(cursor_.tap_h, p_.h.taps - 1) * p_.h.tap_step;
    const int tap_w = p_.w.first_tap + cursor_.tap_w * p_.w.tap_step;
    room_.rows[current_][threadIdx.x] = (tap_h * p_.filter_w + tap_w) * p_.depth.c + depth_channel_;
    cursor_.advance(kTileDepth, channels_, p_.w.taps);
    look_up();
  }

  // A step ahead, so that nothing waits for the list.
  __device__ __forceinline__ void look_up() { depth_channel_ = depth_list_[min(cursor_.channel, last_)]; }

  const SparseProduct& p_;
  Room& room_;
  const int32_t* depth_list_;
  int last_, channels_;
  DepthCursor cursor_;
  int depth_channel_, sets_, current_ = 0;
  int columns_[kSets];
  float values_[kRowsOfWarp][kSets];
};

}  // namespace ftwt::cuda
