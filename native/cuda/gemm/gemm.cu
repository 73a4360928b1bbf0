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
  int rows, columns;
  double efficiency[2];  // share of the full rate, float32 and TF32
  double alone;          // blocks that one block keeps an SM as busy as: below this many, latency shows
};
constexpr TileCost kTiles[] = {
    {128, 128, {1.0, 1.0}, 1.5},
    {128, 64, {0.95, 0.8}, 1.7},
    {64, 64, {0.85, 0.6}, 2.5},
    {128, 32, {0.8, 0.5}, 2.5},
};

constexpr double kMacsPerMicrosecond[] = {218e3, 1e6};  // of an SM, as the tiles reach them
constexpr double kBytesPerMicrosecond = 3e6;
constexpr double kLaunchMicroseconds = 3;
constexpr int kPipelineSteps = 4;  // as long as filling the pipeline and storing the tile
constexpr int kMinSteps = 4;       // of a split
constexpr int64_t kMaxSplits = 1024;

int64_t tiles_of(int64_t size, int tile) { return (size + tile - 1) / tile; }

double microseconds(const GemmProblem& p, const TileCost& tile, int precision, int multiprocessors, int64_t splits) {
  int64_t blocks = 0, steps = 0;
  for (int i = 0; i < p.part_count; ++i) {
    blocks += tiles_of(p.parts[i].rows, tile.rows);
    steps = std::max(steps, tiles_of(p.parts[i].depth, kDepth));
  }
  blocks *= p.batch * tiles_of(p.columns, tile.columns) * splits;
  const double on_one = std::max(static_cast<double>(tiles_of(blocks, multiprocessors)), tile.alone);
  const double macs = on_one * tile.rows * tile.columns * kDepth *
                      static_cast<double>(tiles_of(steps, static_cast<int>(splits)) + kPipelineSteps);
  const double sum = splits == 1 ? 0
                                 : kLaunchMicroseconds + static_cast<double>(2 * splits * p.y_size) * sizeof(float) /
                                                             kBytesPerMicrosecond;
  return macs / (kMacsPerMicrosecond[precision] * tile.efficiency[precision]) + sum;
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

__global__ void sum_splits_kernel(const float* partials, int64_t size, int splits, int columns, const float* bias,
                                  Activation activation, float* y) {
  const int64_t threads = static_cast<int64_t>(gridDim.x) * blockDim.x;
  for (int64_t i = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; i < size; i += threads) {
    float sum = 0;
    for (int split = 0; split < splits; ++split) sum += partials[split * size + i];
    y[i] = activate(bias == nullptr ? sum : sum + bias[i % columns], activation);
  }
}

constexpr int kSumThreads = 256;
constexpr int kSumBlocksPerMultiprocessor = 8;

}  // namespace

Plan plan_gemm(const GemmProblem& p, Precision precision, int multiprocessors) {
  int64_t steps = 1;
  for (int i = 0; i < p.part_count; ++i) steps = std::max(steps, tiles_of(p.parts[i].depth, kDepth));
  const int64_t most_splits = p.splittable ? std::clamp<int64_t>(steps / kMinSteps, 1, kMaxSplits) : 1;
  Plan best = {Tile::Small, 1};
  double best_time = -1;
  for (int t = 0; t < static_cast<int>(Tile::Count); ++t) {
    const auto tile = static_cast<Tile>(t);
    if (p.a_columns && p.b_columns && tile != Tile::Small) continue;
    for (int64_t splits = 1; splits <= most_splits; splits *= 2) {
      const double time = microseconds(p, kTiles[t], static_cast<int>(precision), multiprocessors, splits);
      if (best_time < 0 || time < best_time) {
        best = {tile, static_cast<int>(splits)};
        best_time = time;
      }
    }
  }
  return best;
}

void run_planned(const GemmProblem& problem, Precision precision, const Plan& plan) {
  const GemmProblem p = with_radices(problem);
  const TileCost& tile = kTiles[static_cast<int>(plan.tile)];
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
  if (!partials) return;
  const int64_t sum_blocks = std::min<int64_t>((p.y_size + kSumThreads - 1) / kSumThreads,
                                               int64_t{kSumBlocksPerMultiprocessor} * current_limits().multiprocessors);
  launch(sum_splits_kernel, dim3(static_cast<unsigned>(sum_blocks)), dim3(kSumThreads), 0, current_stream(),
         shape.partials, p.y_size, plan.splits, p.columns, p.bias, p.activation, p.y.data);
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
