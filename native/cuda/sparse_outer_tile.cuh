// Sums over pixels of products of two tiles in shared memory, [channels][kOuterPixels + 4] each, whose counts of
// channels are known only at run time: by multiply-adds, or by the tensor cores in TF32. Rows beyond the counts are
// computed with, as far as they lie in a thread's or warp's piece, and never stored.
#pragma once
#include <cuda_runtime.h>

#include <cstdint>

#include "cuda/device.cuh"

namespace ftwt::cuda {

constexpr int kOuterThreads = 256;
constexpr int kOuterChannels = 64;
constexpr int kOuterPixels = 16;
constexpr int kOuterStride = kOuterPixels + 4;  // reads are free of bank conflicts, and so are copies of 8 x 4 lanes

// A thread owns rows thread / 16 + 16 i and columns thread % 16 + 16 j: work grows in steps of 16 channels.
class FmaOuterTile {
 public:
  __device__ __forceinline__ void add_product(const float* a, const float* b, int rows, int columns) {
    switch ((rows + 15) / 16) {
      case 1: return by_columns<1>(a, b, columns);
      case 2: return by_columns<2>(a, b, columns);
      case 3: return by_columns<3>(a, b, columns);
      default: return by_columns<4>(a, b, columns);
    }
  }

  // add(row, column, sum) for every sum, which is then 0.
  template <class Add>
  __device__ __forceinline__ void flush(int rows, int columns, const Add& add) {
#pragma unroll
    for (int i = 0; i < kPerThread; ++i) {
#pragma unroll
      for (int j = 0; j < kPerThread; ++j) {
        if (row() + 16 * i < rows && column() + 16 * j < columns) add(row() + 16 * i, column() + 16 * j, sum_[i][j]);
        sum_[i][j] = 0;
      }
    }
  }

 private:
  static constexpr int kPerThread = kOuterChannels / 16;

  template <int kDown>
  __device__ __forceinline__ void by_columns(const float* a, const float* b, int columns) {
    switch ((columns + 15) / 16) {
      case 1: return add_tile<kDown, 1>(a, b);
      case 2: return add_tile<kDown, 2>(a, b);
      case 3: return add_tile<kDown, 3>(a, b);
      default: return add_tile<kDown, 4>(a, b);
    }
  }

  template <int kDown, int kAcross>
  __device__ __forceinline__ void add_tile(const float* a, const float* b) {
#pragma unroll
    for (int k = 0; k < kOuterPixels; k += 4) {
      float4 left[kDown];
#pragma unroll
      for (int i = 0; i < kDown; ++i) {
        left[i] = *reinterpret_cast<const float4*>(a + (row() + 16 * i) * kOuterStride + k);
      }
#pragma unroll
      for (int j = 0; j < kAcross; ++j) {
        const float4 right = *reinterpret_cast<const float4*>(b + (column() + 16 * j) * kOuterStride + k);
#pragma unroll
        for (int i = 0; i < kDown; ++i) {
          float sum = sum_[i][j];
          sum = fmaf(left[i].x, right.x, sum);
          sum = fmaf(left[i].y, right.y, sum);
          sum = fmaf(left[i].z, right.z, sum);
          sum_[i][j] = fmaf(left[i].w, right.w, sum);
        }
      }
    }
  }

  static __device__ __forceinline__ int row() { return static_cast<int>(threadIdx.x) / 16; }
  static __device__ __forceinline__ int column() { return static_cast<int>(threadIdx.x) % 16; }

  float sum_[kPerThread][kPerThread] = {};
};

// The warps take the 16 x 8 pieces that hold active channels in turn.
class Tf32OuterTile {
 public:
  __device__ __forceinline__ void add_product(const float* a, const float* b, int rows, int columns) {
    const int down = (rows + 15) / 16, pieces = down * ((columns + 7) / 8);
    const int lane = static_cast<int>(threadIdx.x) % 32;
#pragma unroll
    for (int q = 0; q < kPieces; ++q) {
      const int piece = warp() + q * kWarps;
      if (piece >= pieces) break;
      const float* own_a = a + (piece % down * 16 + lane / 4) * kOuterStride + lane % 4;
      const float* own_b = b + (piece / down * 8 + lane / 4) * kOuterStride + lane % 4;
#pragma unroll
      for (int k = 0; k < kOuterPixels; k += 8) {
        uint32_t left[4], right[2];
#pragma unroll
        for (int r = 0; r < 4; ++r) left[r] = to_tf32(own_a[8 * (r % 2) * kOuterStride + k + 4 * (r / 2)]);
#pragma unroll
        for (int r = 0; r < 2; ++r) right[r] = to_tf32(own_b[k + 4 * r]);
        mma_tf32(sum_[q], left, right);
      }
    }
  }

  template <class Add>
  __device__ __forceinline__ void flush(int rows, int columns, const Add& add) {
    const int down = (rows + 15) / 16, pieces = down * ((columns + 7) / 8);
    const int lane = static_cast<int>(threadIdx.x) % 32;
#pragma unroll
    for (int q = 0; q < kPieces; ++q) {
      const int piece = warp() + q * kWarps;
#pragma unroll
      for (int r = 0; r < 4; ++r) {
        const int row = piece % down * 16 + lane / 4 + 8 * (r / 2), column = piece / down * 8 + lane % 4 * 2 + r % 2;
        if (piece < pieces && row < rows && column < columns) add(row, column, sum_[q][r]);
        sum_[q][r] = 0;
      }
    }
  }

 private:
  static constexpr int kWarps = kOuterThreads / 32;
  static constexpr int kPieces = kOuterChannels / 16 * (kOuterChannels / 8) / kWarps;

  static __device__ __forceinline__ int warp() { return static_cast<int>(threadIdx.x) / 32; }

  float sum_[kPieces][4] = {};
};

}  // namespace ftwt::cuda
