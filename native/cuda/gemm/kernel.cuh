// One block computes one tile of y, or the part of its sum that falls to one split.
#pragma once
#include <type_traits>

#include "cuda/device.cuh"
#include "cuda/activate.cuh"
#include "cuda/gemm/gemm.h"
#include "cuda/gemm/loaders.cuh"

namespace ftwt::cuda::gemm {

template <class Core, bool kAColumns, bool kBColumns>
struct Layout {
  using TileA =
      std::conditional_t<kAColumns, OuterTile<Core::kTileRows>, typename Core::template DepthTileOf<Core::kTileRows>>;
  using TileB = std::conditional_t<kBColumns, typename Core::template DepthTileOf<Core::kTileColumns>,
                                   OuterTile<Core::kTileColumns>>;
  using LoaderA =
      std::conditional_t<kAColumns, WindowColumns<TileA, Core::kThreads>, WindowRows<TileA, Core::kThreads>>;
  using LoaderB = std::conditional_t<kBColumns, Columns<TileB, Core::kThreads>, Rows<TileB, Core::kThreads>>;
  static constexpr int kStageFloats = TileA::kFloats + TileB::kFloats;
  static constexpr std::size_t kTableBytes = LoaderA::kPixels * sizeof(SourcePixel);
  static constexpr std::size_t kSharedBytes = kTableBytes + Core::kStages * kStageFloats * sizeof(float);
  static_assert(kSharedBytes <= Core::kMaxSharedBytes, "fits every device that the core runs on");
};

template <int kGroup>
__device__ __forceinline__ void store_group(float* to, const float (&values)[kGroup], int count, bool vector) {
  if (vector) {
    if constexpr (kGroup == 4) {
      *reinterpret_cast<float4*>(to) = make_float4(values[0], values[1], values[2], values[3]);
      return;
    } else if constexpr (kGroup == 2) {
      *reinterpret_cast<float2*>(to) = make_float2(values[0], values[1]);
      return;
    }
  }
#pragma unroll
  for (int e = 0; e < kGroup; ++e) {
    if (e < count) to[e] = values[e];
  }
}

// Adds the bias and the residual, applies the activation and stores. `row_offsets` is shared memory that nobody reads
// any more.
template <class Core, class LoaderA, bool kResidual>
__device__ __forceinline__ void store_tile(const GemmProblem& p, const GemmPart& part, const LaunchShape& shape,
                                           const Core& core, int64_t first_row, int first_column, int64_t matrix,
                                           int split, int64_t* row_offsets) {
  for (int row = static_cast<int>(threadIdx.x); row < Core::kTileRows; row += Core::kThreads) {
    const Digits digits = digits_of(first_row + row, LoaderA::row_radix(p, part));
    const bool kept = first_row + row < part.rows && digits.low < p.y.kept;
    row_offsets[row] = kept ? digits.high * p.y.high + digits.middle * p.y.middle + digits.low * p.y.low : -1;
  }
  __syncthreads();

  const bool whole = shape.splits == 1;
  const int64_t place = matrix * p.y_stride + part.y_offset;
  float* const y = (whole ? p.y.data : shape.partials + split * p.y_size) + place;
  const float* const residual = kResidual && whole && p.residual != nullptr ? p.residual + place : nullptr;
#pragma unroll
  for (int group = 0; group < Core::kThreadGroups; ++group) {
    const int column = first_column + core.column(group);
    const int count = p.columns - column;
    if (count <= 0) continue;
    float bias[Core::kGroup];
#pragma unroll
    for (int e = 0; e < Core::kGroup; ++e) bias[e] = whole && p.bias != nullptr && e < count ? p.bias[column + e] : 0;
#pragma unroll
    for (int i = 0; i < Core::kThreadRows; ++i) {
      const int64_t offset = row_offsets[core.row(i)];
      if (offset < 0) continue;
      float values[Core::kGroup];
#pragma unroll
      for (int e = 0; e < Core::kGroup; ++e) {
        const float sum = core.sum(i, group, e);
        const float other = residual != nullptr && e < count ? residual[offset + column + e] : 0.0f;
        values[e] = whole ? activate(sum + bias[e] + other, p.activation) : sum;
      }
      store_group(y + (offset + column), values, count, shape.vector_stores);
    }
  }
}

template <class Core, bool kAColumns, bool kBColumns>
__global__ void __launch_bounds__(Core::kThreads, Core::kBlocksAtOnce)
    gemm_kernel(const GemmProblem p, const LaunchShape shape) {
  using L = Layout<Core, kAColumns, kBColumns>;
  auto* const pixels = dynamic_shared<SourcePixel>();
  auto* const stages = reinterpret_cast<float*>(pixels + L::LoaderA::kPixels);

  // Neighbouring blocks share rows of A; all of them share B, the smaller matrix as a rule.
  const unsigned tile = blockIdx.x / shape.column_tiles;
  const unsigned item = tile / shape.row_tiles / shape.splits;
  const int split = static_cast<int>(tile / shape.row_tiles % shape.splits);
  const GemmPart& part = p.parts[item % p.part_count];
  const int64_t matrix = shape.first_matrix + item / p.part_count;
  const int64_t first_row = static_cast<int64_t>(tile % shape.row_tiles) * Core::kTileRows;
  const int first_column = static_cast<int>(blockIdx.x % shape.column_tiles) * Core::kTileColumns;
  if (first_row >= part.rows) return;  // another part is larger

  const int64_t steps = (part.depth + kDepth - 1) / kDepth;
  const int64_t first_step = steps * split / shape.splits;
  const int count = static_cast<int>(steps * (split + 1) / shape.splits - first_step);

  typename L::LoaderA a(p, part, p.a.source + matrix % p.a_batch * p.a_stride, first_row, first_step, pixels);
  typename L::LoaderB b(p, part, p.b.data + (matrix % p.b_batch * p.b_stride + part.b_offset), first_column,
                        first_step);
  Core core;
  __syncthreads();

  int loaded = 0, filled = 0;  // steps, and the stage of the next one
  const auto load = [&] {
    if (loaded++ < count) {
      float* const stage = stages + filled * L::kStageFloats;
      a.load(stage);
      b.load(stage + L::TileA::kFloats);
      a.prepare();
      filled = filled + 1 == Core::kStages ? 0 : filled + 1;
    }
    cp_async_commit();  // empty at the end, so that the count of groups stays right
  };
  for (int stage = 0; stage < Core::kStages - 1; ++stage) {
    load();
    if constexpr (kAColumns) __syncthreads();  // what `prepare` has written
  }
  int used = 0;
  for (int step = 0; step < count; ++step) {
    cp_async_wait<Core::kStages - 2>();
    __syncthreads();  // this step's tiles are there, and those of the step before are free
    load();
    const float* const stage = stages + used * L::kStageFloats;
    core.multiply(stage, stage + L::TileA::kFloats);
    used = used + 1 == Core::kStages ? 0 : used + 1;
  }
  __syncthreads();
  // No gradient and no transposed matrix has a residual, and their registers are few.
  constexpr bool kResidual = !kAColumns && !kBColumns;
  store_tile<Core, typename L::LoaderA, kResidual>(p, part, shape, core, first_row, first_column, matrix, split,
                                                   reinterpret_cast<int64_t*>(stages));
}

}  // namespace ftwt::cuda::gemm
