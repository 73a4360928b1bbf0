// Products and sums in float32, on the ordinary cores. A warp is 4 x 8 threads; each owns kM x kN sums, those of a row
// or a column spread so that a warp reads its tile of shared memory in 16-byte words without bank conflicts.
#pragma once
#include "cuda/gemm/tiles.cuh"

namespace ftwt::cuda::gemm {

// Block of kRows x kColumns sums, warps stacked kWarpsM x kWarpsN.
template <int kRows, int kColumns, int kWarpsM, int kWarpsN, bool kAAlongDepth, bool kBAlongDepth>
class FmaCore {
 public:
  static constexpr int kThreads = 32 * kWarpsM * kWarpsN;
  static constexpr int kM = kRows / kWarpsM / 4;
  static constexpr int kN = kColumns / kWarpsN / 8;
  static constexpr int kStages = 3;
  static constexpr int kBlocksAtOnce = kM * kN == 128 ? 2 : kM * kN == 64 ? 3 : 4;
  static constexpr int kTileRows = kRows, kTileColumns = kColumns;
  static_assert(kM % 4 == 0 && kN % 4 == 0, "16-byte words");
  // Stride 20: the rows r .. r + 7 start in eight different groups of four banks.
  template <int kSize>
  using DepthTileOf = DepthTile<kSize, 4>;

  // Columns that a thread owns beside each other.
  static constexpr int kGroup = kBAlongDepth ? 1 : 4;
  static constexpr int kThreadRows = kM, kThreadGroups = kN / kGroup;

  __device__ __forceinline__ FmaCore() {
    const int lane = static_cast<int>(threadIdx.x) % 32;
    const int warp = static_cast<int>(threadIdx.x) / 32;
    lane_m_ = lane / 8;
    lane_n_ = lane % 8;
    first_row_ = warp / kWarpsN * (4 * kM);
    first_column_ = warp % kWarpsN * (8 * kN);
#pragma unroll
    for (int i = 0; i < kM; ++i) {
#pragma unroll
      for (int j = 0; j < kN; ++j) sums_[i][j] = 0.0f;
    }
  }

  __device__ __forceinline__ void multiply(const float* a_tile, const float* b_tile) {
    constexpr int kStep = 2;
#pragma unroll
    for (int first = 0; first < kDepth; first += kStep) {
      float a[kStep][kM], b[kStep][kN];
      load<kStep, kM, 4, kAAlongDepth, TileA>(a_tile, first_row_, lane_m_, first, a);
      load<kStep, kN, 8, kBAlongDepth, TileB>(b_tile, first_column_, lane_n_, first, b);
#pragma unroll
      for (int k = 0; k < kStep; ++k) {
#pragma unroll
        for (int i = 0; i < kM; ++i) {
#pragma unroll
          for (int j = 0; j < kN; ++j) sums_[i][j] = fmaf(a[k][i], b[k][j], sums_[i][j]);
        }
      }
    }
  }

  __device__ __forceinline__ int row(int i) const {
    return first_row_ + (kAAlongDepth ? i * 4 + lane_m_ : i / 4 * 16 + lane_m_ * 4 + i % 4);
  }
  __device__ __forceinline__ int column(int group) const { return first_column_ + (group * 8 + lane_n_) * kGroup; }
  __device__ __forceinline__ float sum(int i, int group, int e) const { return sums_[i][group * kGroup + e]; }

 private:
  template <int kSize, bool kAlongDepth>
  using TileOf = std::conditional_t<kAlongDepth, DepthTileOf<kSize>, OuterTile<kSize>>;
  using TileA = TileOf<kRows, kAAlongDepth>;
  using TileB = TileOf<kColumns, kBAlongDepth>;

  // kStep steps of kCount rows, which kLanes threads share.
  template <int kStep, int kCount, int kLanes, bool kAlongDepth, class Tile>
  __device__ __forceinline__ static void load(const float* tile, int first_row, int lane, int first_k,
                                              float (&to)[kStep][kCount]) {
    if constexpr (kAlongDepth) {
#pragma unroll
      for (int i = 0; i < kCount; ++i) {
        const float* from = tile + Tile::at(first_row + i * kLanes + lane, first_k);
        if constexpr (kStep == 4) {
          const float4 v = *reinterpret_cast<const float4*>(from);
          to[0][i] = v.x, to[1][i] = v.y, to[2][i] = v.z, to[3][i] = v.w;
        } else {
          const float2 v = *reinterpret_cast<const float2*>(from);
          to[0][i] = v.x, to[1][i] = v.y;
        }
      }
    } else {
#pragma unroll
      for (int k = 0; k < kStep; ++k) {
#pragma unroll
        for (int i = 0; i < kCount; i += 4) {
          const float* from = tile + Tile::at(first_row + i * kLanes + lane * 4, first_k + k);
          const float4 v = *reinterpret_cast<const float4*>(from);
          to[k][i] = v.x, to[k][i + 1] = v.y, to[k][i + 2] = v.z, to[k][i + 3] = v.w;
        }
      }
    }
  }

  int lane_m_, lane_n_, first_row_, first_column_;
  float sums_[kM][kN];
};

}  // namespace ftwt::cuda::gemm
