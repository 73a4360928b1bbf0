// Chooses tile and splits of a product, launches it, and adds up the splits in their order, so that results do not
// depend on timing. The choice is the cheapest by an estimate from the figures of an H100; any choice is correct.
#include "cuda/gemm/gemm.h"

#include <algorithm>
#include <climits>
#include <optional>
#include <string>

#include "cuda/activate.cuh"
#include "cuda/device.cuh"
#include "cuda/gemm/tiles.cuh"

namespace ftwt::cuda {
namespace gemm {
namespace {

struct TileCost {
  double efficiency[2];  // share of the full rate, float32 and TF32
  double alone;          // blocks on an SM that take as long as one: below that, latency shows
};
constexpr TileCost kTileCosts[] = {{{1.0, 1.0}, 1.5}, {{0.95, 0.8}, 1.7}, {{0.85, 0.6}, 2.5}, {{0.8, 0.5}, 2.5}};

constexpr double kMacsPerMicrosecond[] = {218e3, 1e6};  // of an SM, as the tiles reach them
constexpr double kBytesPerMicrosecond = 3e6;
constexpr double kLaunchMicroseconds = 3;
constexpr int kPipelineSteps = 4;  // as long as filling the pipeline and storing the tile
constexpr int kMinSteps = 4;       // of a split
constexpr int64_t kMaxSplits = 256;

int64_t tiles_of(int64_t size, int tile) { return (size + tile - 1) / tile; }

int64_t longest_sum(const GemmProblem& p) {
  int64_t depth = 0;
  for (int i = 0; i < p.part_count; ++i) depth = std::max(depth, p.parts[i].depth);
  return tiles_of(depth, kDepth);
}

double microseconds(const GemmProblem& p, const Plan& plan, int precision, int multiprocessors) {
  const TileShape& tile = kTileShapes[static_cast<int>(plan.tile)];
  const TileCost& cost = kTileCosts[static_cast<int>(plan.tile)];
  int64_t blocks = 0;
  for (int i = 0; i < p.part_count; ++i) blocks += tiles_of(p.parts[i].rows, tile.rows);
  blocks *= p.batch * tiles_of(p.columns, tile.columns) * plan.splits;
  const double on_one = std::max(static_cast<double>(tiles_of(blocks, multiprocessors)), cost.alone);
  const double macs = on_one * tile.rows * tile.columns * kDepth *
                      static_cast<double>(tiles_of(longest_sum(p), plan.splits) + kPipelineSteps);
  double sum = 0;
  if (plan.splits > 1) {
    const double bytes = 2.0 * sizeof(float) * plan.splits * static_cast<double>(p.y_size);
    sum = kLaunchMicroseconds + bytes / kBytesPerMicrosecond;
  }
  return macs / (kMacsPerMicrosecond[precision] * cost.efficiency[precision]) + sum;
}

// Checked, and with the radices that the kernels divide by: empty sums and matrices leave radices of 0.
GemmProblem with_radices(GemmProblem p) {
  p.a.c = std::max(p.a.c, 1);
  p.b.piece = std::max(p.b.piece, 1);
  for (int i = 0; i < p.part_count; ++i) {
    GemmPart& part = p.parts[i];
    gemm_size(part.depth);  // kernels count it so
    part.grid_h = std::max(part.grid_h, 1);
    part.grid_w = std::max(part.grid_w, 1);
    part.taps_w = std::max(part.taps_w, 1);
  }
  return p;
}

// Lane x of warp y adds the splits y, y + warps, ... of element x; the first warp adds what the warps have.
constexpr int kSumLanes = 32;
constexpr int kSumWarps = 8;
constexpr int kSumBlocksPerMultiprocessor = 32;

__global__ void sum_splits_kernel(const float* partials, int64_t size, int splits, int columns, const float* bias,
                                  const float* residual, Activation activation, float* y) {
  FTWT_SHARED(float, sums, [kSumWarps][kSumLanes]);
  const auto lane = threadIdx.x, warp = threadIdx.y;
  for (int64_t first = static_cast<int64_t>(blockIdx.x) * kSumLanes; first < size;
       first += static_cast<int64_t>(gridDim.x) * kSumLanes) {
    const int64_t i = first + lane;
    float sum = 0;
    if (i < size) {
#pragma unroll 4
      for (int split = static_cast<int>(warp); split < splits; split += static_cast<int>(blockDim.y)) {
        sum += partials[split * size + i];
      }
    }
    sums[warp][lane] = sum;
    __syncthreads();
    if (warp == 0 && i < size) {
      for (unsigned other = 1; other < blockDim.y; ++other) sum += sums[other][lane];
      if (bias != nullptr) sum += bias[i % columns];
      if (residual != nullptr) sum += residual[i];
      y[i] = activate(sum, activation);
    }
    __syncthreads();
  }
}

void sum_splits(const GemmProblem& p, const float* partials, int splits) {
  const int64_t blocks =
      std::min(tiles_of(p.y_size, kSumLanes), int64_t{kSumBlocksPerMultiprocessor} * current_limits().multiprocessors);
  launch(sum_splits_kernel, dim3(static_cast<unsigned>(blocks)),
         dim3(kSumLanes, static_cast<unsigned>(std::min(splits, kSumWarps))), 0, current_stream(), partials, p.y_size,
         splits, p.columns, p.bias, p.residual, p.activation, p.y.data);
}

}  // namespace

Plan plan_gemm(const GemmProblem& p, Precision precision, int multiprocessors) {
  const int64_t most_splits = p.splittable ? std::clamp<int64_t>(longest_sum(p) / kMinSteps, 1, kMaxSplits) : 1;
  Plan best = {Tile::Small, 1};
  double best_time = microseconds(p, best, static_cast<int>(precision), multiprocessors);
  for (int t = 0; t < static_cast<int>(Tile::Count); ++t) {
    Plan plan = {static_cast<Tile>(t), 1};
    if (p.a_columns && p.b_columns && plan.tile != Tile::Small) continue;
    for (; plan.splits <= most_splits; plan.splits *= 2) {
      const double time = microseconds(p, plan, static_cast<int>(precision), multiprocessors);
      if (time >= best_time) continue;
      best = plan;
      best_time = time;
    }
  }
  return best;
}

void run_planned(const GemmProblem& problem, Precision precision, const Plan& plan) {
  const GemmProblem p = with_radices(problem);
  const TileShape& tile = kTileShapes[static_cast<int>(plan.tile)];
  int64_t rows = 0;
  for (int i = 0; i < p.part_count; ++i) rows = std::max(rows, p.parts[i].rows);
  if (rows == 0 || p.columns == 0 || p.batch == 0) return;

  std::optional<DeviceBuffer> partials;
  if (plan.splits > 1) partials.emplace(static_cast<std::size_t>(plan.splits * p.y_size) * sizeof(float));
  LaunchShape shape = {static_cast<int>(tiles_of(rows, tile.rows)),
                       static_cast<int>(tiles_of(p.columns, tile.columns)),
                       plan.splits,
                       0,
                       partials ? partials->as<float>() : nullptr,
                       p.columns % 4 == 0 && reinterpret_cast<uintptr_t>(p.y.data) % 16 == 0};
  const int64_t blocks = static_cast<int64_t>(shape.row_tiles) * shape.column_tiles * plan.splits * p.part_count;
  const int64_t batch_at_once = std::max<int64_t>(1, INT_MAX / blocks);
  for (; shape.first_matrix < p.batch; shape.first_matrix += batch_at_once) {
    const int64_t matrices = std::min(batch_at_once, p.batch - shape.first_matrix);
    const auto launch_gemm = precision == Precision::Tf32 ? launch_tf32 : launch_fma;
    launch_gemm(p, plan.tile, shape, static_cast<unsigned>(blocks * matrices));
  }
  if (partials) sum_splits(p, shape.partials, plan.splits);
}

}  // namespace gemm

void run_gemm(const GemmProblem& problem) {
  const Precision precision = current_precision();
  gemm::run_planned(problem, precision, gemm::plan_gemm(problem, precision, current_limits().multiprocessors));
}

int gemm_size(int64_t size) {
  if (size > INT_MAX) {
    throw Error(ErrorCode::InvalidArgument, "CUDA products: expected sizes below 2^31, got " + std::to_string(size));
  }
  return static_cast<int>(size);
}

}  // namespace ftwt::cuda
