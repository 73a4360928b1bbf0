// Products of two tiles in shared memory, kept in registers: by multiply-adds, or by the tensor cores in TF32. Both
// read the same layout: a [rows][kTileDepth + 4], b [kTileDepth][kTileColumns + 8], sums [rows][kTileColumns + 4]. With
// these paddings every read is free of bank conflicts. Columns are computed in strips of 16, the active ones alone.
#pragma once
#include <cuda_runtime.h>

#include <cstdint>

#include "cuda/device.cuh"

namespace ftwt::cuda {

constexpr int kTileColumns = 64;
constexpr int kTileDepth = 16;
constexpr int kStrideA = kTileDepth + 4;
constexpr int kStrideB = kTileColumns + 8;
constexpr int kStrideSum = kTileColumns + 4;
constexpr int kStripColumns = 16;

// The part of a tile that is one warp's: neighbouring rows, and every kWarpsAcross-th strip of columns, so that the
// warps share whatever strips are active.
template <int kRowsOfTile, int kThreads>
struct WarpTile {
  static constexpr int kRows = kRowsOfTile < 32 ? kRowsOfTile : 32;
  static constexpr int kWarpsAcross = kThreads / 32 / (kRowsOfTile / kRows);
  static constexpr int kStrips = kTileColumns / kStripColumns / kWarpsAcross;
  static_assert(kStrips * kWarpsAcross * kStripColumns == kTileColumns && kStrips <= 2, "one strip or all of them");

  static __device__ __forceinline__ int row() { return warp() / kWarpsAcross * kRows; }
  static __device__ __forceinline__ int column(int strip) {
    return (warp() % kWarpsAcross + strip * kWarpsAcross) * kStripColumns;
  }
  // How many of this warp's strips hold any of the first `columns` of the tile.
  static __device__ __forceinline__ int strips(int columns) {
    int count = 0;
#pragma unroll
    for (int strip = 0; strip < kStrips; ++strip) count += column(strip) < columns ? 1 : 0;
    return count;
  }
  static __device__ __forceinline__ int lane() { return static_cast<int>(threadIdx.x) % 32; }

 private:
  static __device__ __forceinline__ int warp() { return static_cast<int>(threadIdx.x) / 32; }
};

// A thread owns four neighbouring columns of each strip, in every eighth row of its warp.
template <int kRowsOfTile, int kThreadsOfTile>
class FmaTile {
 public:
  using Warp = WarpTile<kRowsOfTile, kThreadsOfTile>;
  static constexpr int kRows = kRowsOfTile;
  static constexpr int kThreads = kThreadsOfTile;

  // Of the warp's first `strips`, at least one.
  __device__ __forceinline__ void add_product(const float* a, const float* b, int strips) {
    strips == Warp::kStrips ? multiply<Warp::kStrips>(a, b) : multiply<1>(a, b);
  }

  // sums [rows][kStride]
  template <int kStride>
  __device__ __forceinline__ void store(float* sums, int rows) const {
#pragma unroll
    for (int i = 0; i < kPerThread; ++i) {
      if (row() + i * kRowStep >= rows) break;
#pragma unroll
      for (int strip = 0; strip < Warp::kStrips; ++strip) {
        const float* sum = sum_[i][strip];
        *reinterpret_cast<float4*>(sums + (row() + i * kRowStep) * kStride + Warp::column(strip) + own_column()) =
            make_float4(sum[0], sum[1], sum[2], sum[3]);
      }
    }
  }

  __device__ __forceinline__ void add(const FmaTile& other) {
#pragma unroll
    for (int i = 0; i < kPerThread; ++i) {
#pragma unroll
      for (int strip = 0; strip < Warp::kStrips; ++strip) {
#pragma unroll
        for (int j = 0; j < 4; ++j) sum_[i][strip][j] += other.sum_[i][strip][j];
      }
    }
  }

 private:
  static constexpr int kRowStep = 8;
  static constexpr int kPerThread = Warp::kRows / kRowStep;

  static __device__ __forceinline__ int row() { return Warp::row() + Warp::lane() / 4; }
  static __device__ __forceinline__ int own_column() { return Warp::lane() % 4 * 4; }

  template <int kCount>
  __device__ __forceinline__ void multiply(const float* a, const float* b) {
    const float* own_a = a + row() * kStrideA;
#pragma unroll
    for (int k = 0; k < kTileDepth; k += 4) {
      float left[kPerThread][4];
#pragma unroll
      for (int i = 0; i < kPerThread; ++i) {
        const float4 v = *reinterpret_cast<const float4*>(own_a + i * kRowStep * kStrideA + k);
        left[i][0] = v.x, left[i][1] = v.y, left[i][2] = v.z, left[i][3] = v.w;
      }
#pragma unroll
      for (int step = 0; step < 4; ++step) {
#pragma unroll
        for (int strip = 0; strip < kCount; ++strip) {
          const float4 right =
              *reinterpret_cast<const float4*>(b + (k + step) * kStrideB + Warp::column(strip) + own_column());
#pragma unroll
          for (int i = 0; i < kPerThread; ++i) {
            float* sum = sum_[i][strip];
            sum[0] = fmaf(left[i][step], right.x, sum[0]);
            sum[1] = fmaf(left[i][step], right.y, sum[1]);
            sum[2] = fmaf(left[i][step], right.z, sum[2]);
            sum[3] = fmaf(left[i][step], right.w, sum[3]);
          }
        }
      }
    }
  }

  float sum_[kPerThread][Warp::kStrips][4] = {};
};

// Sums are float32. kRounded: b holds numbers of TF32 already.
template <int kRowsOfTile, int kThreadsOfTile, bool kRounded>
class Tf32Tile {
 public:
  using Warp = WarpTile<kRowsOfTile, kThreadsOfTile>;
  static constexpr int kRows = kRowsOfTile;
  static constexpr int kThreads = kThreadsOfTile;

  __device__ __forceinline__ void add_product(const float* a, const float* b, int strips) {
    strips == Warp::kStrips ? multiply<Warp::kStrips>(a, b) : multiply<1>(a, b);
  }

  template <int kStride>
  __device__ __forceinline__ void store(float* sums, int rows) const {
    const int lane = Warp::lane(), row = Warp::row() + lane / 4;
#pragma unroll
    for (int i = 0; i < 2 * kTilesDown; ++i) {
      if (row + 8 * i >= rows) break;
#pragma unroll
      for (int j = 0; j < kTilesAcross; ++j) {
        *reinterpret_cast<float2*>(sums + (row + 8 * i) * kStride + column(j) + lane % 4 * 2) =
            make_float2(sum_[i / 2][j][i % 2 * 2], sum_[i / 2][j][i % 2 * 2 + 1]);
      }
    }
  }

  __device__ __forceinline__ void add(const Tf32Tile& other) {
#pragma unroll
    for (int i = 0; i < kTilesDown; ++i) {
#pragma unroll
      for (int j = 0; j < kTilesAcross; ++j) {
#pragma unroll
        for (int r = 0; r < 4; ++r) sum_[i][j][r] += other.sum_[i][j][r];
      }
    }
  }

 private:
  static constexpr int kTilesDown = Warp::kRows / 16;
  static constexpr int kTilesOfStrip = kStripColumns / 8;
  static constexpr int kTilesAcross = Warp::kStrips * kTilesOfStrip;

  static __device__ __forceinline__ int column(int tile) {
    return Warp::column(tile / kTilesOfStrip) + tile % kTilesOfStrip * 8;
  }

  template <int kCount>
  __device__ __forceinline__ void multiply(const float* a, const float* b) {
    const int lane = Warp::lane();
    // For ldmatrix: pairs of 16-bit columns are floats, matrices 0 and 1 lie below each other, 2 and 3 beside them.
    const float* own_a = a + (Warp::row() + lane % 16) * kStrideA + lane / 16 * 4;
    const float* own_b = b + lane % 4 * kStrideB + lane / 4;
#pragma unroll
    for (int k = 0; k < kTileDepth; k += 8) {
      uint32_t left[kTilesDown][4];
#pragma unroll
      for (int i = 0; i < kTilesDown; ++i) {
        ldmatrix_x4(left[i], own_a + 16 * i * kStrideA + k);
#pragma unroll
        for (int r = 0; r < 4; ++r) left[i][r] = to_tf32(__uint_as_float(left[i][r]));
      }
#pragma unroll
      for (int j = 0; j < kCount * kTilesOfStrip; ++j) {
        uint32_t right[2];
#pragma unroll
        for (int r = 0; r < 2; ++r) {
          const float value = own_b[(k + 4 * r) * kStrideB + column(j)];
          right[r] = kRounded ? __float_as_uint(value) : to_tf32(value);
        }
#pragma unroll
        for (int i = 0; i < kTilesDown; ++i) mma_tf32(sum_[i][j], left[i], right);
      }
    }
  }

  float sum_[kTilesDown][kTilesAcross][4] = {};
};

}  // namespace ftwt::cuda
