// Products of TF32 numbers summed in float32, on the tensor cores. A warp owns kM x kN fragments of 16 x 8 sums. Inside
// a product of 8 steps the order of the steps is free as long as A and B agree: lane t takes the steps 2t and 2t + 1
// (the instruction calls them t and t + 4), which lie side by side where the sum runs along memory.
#pragma once
#include "cuda/device.cuh"
#include "cuda/gemm/tiles.cuh"

namespace ftwt::cuda::gemm {

template <int kRows, int kColumns, int kWarpsM, int kWarpsN, bool kAAlongDepth, bool kBAlongDepth>
class Tf32Core {
 public:
  static constexpr int kThreads = 32 * kWarpsM * kWarpsN;
  static constexpr int kM = kRows / kWarpsM / 16;
  static constexpr int kN = kColumns / kWarpsN / 8;
  static constexpr int kStages = 4;
  static constexpr int kBlocksAtOnce = kM * kN >= 32 ? 2 : kM * kN >= 16 ? 3 : 4;
  static constexpr int kTileRows = kRows, kTileColumns = kColumns;
  // Stride 24: half a warp reads rows g .. g + 3, columns 2t and 2t + 1 from 32 different banks.
  template <int kSize>
  using DepthTileOf = DepthTile<kSize, 8>;

  static constexpr int kGroup = 2;
  static constexpr int kThreadRows = 2 * kM, kThreadGroups = kN;

  __device__ __forceinline__ Tf32Core() {
    const int lane = static_cast<int>(threadIdx.x) % 32;
    const int warp = static_cast<int>(threadIdx.x) / 32;
    g_ = lane / 4;
    t_ = lane % 4;
    first_row_ = warp / kWarpsN * (16 * kM);
    first_column_ = warp % kWarpsN * (8 * kN);
#pragma unroll
    for (int i = 0; i < kM; ++i) {
#pragma unroll
      for (int j = 0; j < kN; ++j) {
#pragma unroll
        for (int e = 0; e < 4; ++e) sums_[i][j][e] = 0.0f;
      }
    }
  }

  __device__ __forceinline__ void multiply(const float* a_tile, const float* b_tile) {
#pragma unroll
    for (int first = 0; first < kDepth; first += 8) {
      uint32_t a[kM][4], b[kN][2];
#pragma unroll
      for (int i = 0; i < kM; ++i) {
        load_pair<TileA>(a_tile, first_row_ + i * 16 + g_, first + 2 * t_, a[i][0], a[i][2]);
        load_pair<TileA>(a_tile, first_row_ + i * 16 + 8 + g_, first + 2 * t_, a[i][1], a[i][3]);
      }
#pragma unroll
      for (int j = 0; j < kN; ++j) {
        load_pair<TileB>(b_tile, first_column_ + j * 8 + g_, first + 2 * t_, b[j][0], b[j][1]);
      }
#pragma unroll
      for (int i = 0; i < kM; ++i) {
#pragma unroll
        for (int j = 0; j < kN; ++j) mma_tf32(sums_[i][j], a[i], b[j]);
      }
    }
  }

  __device__ __forceinline__ int row(int i) const { return first_row_ + i * 8 + g_; }
  __device__ __forceinline__ int column(int group) const { return first_column_ + group * 8 + 2 * t_; }
  __device__ __forceinline__ float sum(int i, int group, int e) const { return sums_[i / 2][group][i % 2 * 2 + e]; }

 private:
  template <int kSize, bool kAlongDepth>
  using TileOf = std::conditional_t<kAlongDepth, DepthTileOf<kSize>, OuterTile<kSize>>;
  using TileA = TileOf<kRows, kAAlongDepth>;
  using TileB = TileOf<kColumns, kBAlongDepth>;

  template <class Tile>
  __device__ __forceinline__ static void load_pair(const float* tile, int row, int k, uint32_t& low, uint32_t& high) {
    if constexpr (Tile::kAlongDepth) {
      const float2 pair = *reinterpret_cast<const float2*>(tile + Tile::at(row, k));
      low = to_tf32(pair.x);
      high = to_tf32(pair.y);
    } else {
      low = to_tf32(tile[Tile::at(row, k)]);
      high = to_tf32(tile[Tile::at(row, k + 1)]);
    }
  }

  int g_, t_, first_row_, first_column_;
  float sums_[kM][kN][4];
};

}  // namespace ftwt::cuda::gemm
