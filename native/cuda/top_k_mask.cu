// One block a sample: the row is sorted in shared memory, then every thread decides about its ranks. Values never rise
// along the ranks, so that the channels above the bound of dead ones are the leading ones.
//
// Grid: n blocks of sort_threads(c) threads; shared memory: 8 bytes a key, 32 KiB at most. Longer rows are ranked by
// rank_rows, with the keys in global memory.
//
// Bytes: 8 a channel. Time: the log2(c)^2 / 2 steps of the sort (45 for 512 channels, 9 of them with a barrier of the
// whole block), a few microseconds; samples run side by side. No arithmetic on the values, so no rounding.
#include "ops/top_k_mask.h"

#include "cuda/context.h"
#include "cuda/rank_channels.cuh"

namespace ftwt::cuda {
namespace {

constexpr float kDeadSaliency = 1e-5f;  // deadSaliency in src/ops/topKMask.ts
constexpr int kLongRowThreads = 256;

struct TopKRule {
  int64_t count, min_active;
};

__device__ void mask_by_rank(const uint64_t* keys, int64_t c, const TopKRule& rule, float* mask) {
  for (int64_t rank = threadIdx.x; rank < c; rank += blockDim.x) {
    const bool alive = key_saliency(keys[rank]) > kDeadSaliency;
    mask[key_channel(keys[rank])] = (alive && rank < rule.count) || rank < rule.min_active ? 1.0f : 0.0f;
  }
}

__global__ void __launch_bounds__(kMaxSortThreads)
    top_k_mask_kernel(const float* saliency, float* mask, int c, int key_count, TopKRule rule) {
  auto* keys = dynamic_shared<uint64_t>();
  const int64_t row = static_cast<int64_t>(blockIdx.x) * c;
  rank_row(saliency + row, c, keys, key_count);
  mask_by_rank(keys, c, rule, mask + row);
}

__global__ void top_k_mask_long_kernel(const uint64_t* keys, float* mask, int64_t c, TopKRule rule) {
  const int64_t row = static_cast<int64_t>(blockIdx.x) * c;
  mask_by_rank(keys + row, c, rule, mask + row);
}

}  // namespace

void top_k_mask(const TopKMaskParams& p) {
  if (p.n * p.c == 0) return;
  const TopKRule rule{p.count, p.min_active};
  const auto grid = static_cast<unsigned>(p.n);
  if (p.c <= kSharedRankChannels) {
    const int keys = sort_keys(p.c);
    launch(top_k_mask_kernel, grid, sort_threads(keys), keys * sizeof(uint64_t), current_stream(), p.saliency, p.mask,
           static_cast<int>(p.c), keys, rule);
    return;
  }
  const DeviceBuffer keys(static_cast<std::size_t>(p.n * p.c) * sizeof(uint64_t));
  rank_rows(p.saliency, p.n, p.c, keys.as<uint64_t>());
  launch(top_k_mask_long_kernel, grid, kLongRowThreads, 0, current_stream(), keys.as<uint64_t>(), p.mask, p.c, rule);
}

}  // namespace ftwt::cuda
