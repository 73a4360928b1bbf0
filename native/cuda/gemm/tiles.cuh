// Tiles of A and B in shared memory. Both keep the order of global memory, so that cp.async can fill them, and pad
// their rows against bank conflicts: `pad` floats more than a multiple of 32 banks.
#pragma once
#include <cuda_runtime.h>

namespace ftwt::cuda::gemm {

// Steps of the sum in a tile.
constexpr int kDepth = 16;

// [size, kDepth]: the sum runs along memory.
template <int kRows, int kPad>
struct DepthTile {
  static constexpr bool kAlongDepth = true;
  static constexpr int kSize = kRows;
  static constexpr int kStride = kDepth + kPad;
  static constexpr int kFloats = kRows * kStride;
  __device__ __forceinline__ static int at(int row, int k) { return row * kStride + k; }
};

// [kDepth, size]: the sum runs across memory. Lanes of a tensor-core fragment read rows 2t and columns g: a stride of
// 4 more than a multiple of 32 puts all 32 of them into different banks.
template <int kRows>
struct OuterTile {
  static constexpr bool kAlongDepth = false;
  static constexpr int kSize = kRows;
  static constexpr int kStride = kRows + 4;
  static constexpr int kFloats = kDepth * kStride;
  __device__ __forceinline__ static int at(int row, int k) { return k * kStride + row; }
};

}  // namespace ftwt::cuda::gemm
