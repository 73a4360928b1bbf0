// One block a sample. The row is sorted in shared memory (bitonic, keys of value and channel: ties have one order).
// Then one warp adds up the sorted values and keeps every partial sum, and each thread decides about its ranks.
//
// The sums run one after another in float32, as on the host: the mask must be the same to the bit, and float addition
// in another grouping is not. All 32 lanes make the same additions of values that a lane broadcasts, so each lane gets
// the partial sum of its rank for nothing, and loads and stores are 32 values wide.
//
// Sums never fall and values never rise along the ranks, so that the channels within the mass are the leading ones, and
// no thread has to know how many there are.
//
// Grid: n blocks of sort_threads(c) threads; shared memory: 12 bytes a key, 48 KiB at most. Longer rows are ranked by
// rank_rows first, and keys and sums lie in global memory.
//
// Bytes: 8 a channel. Time: the chain of c dependent additions (4 cycles each, about 6 with the broadcasts: 2 us for
// 512 channels) and log2(c)^2 / 2 steps of the sort, nothing to do with bandwidth; samples run side by side.
//
// Hazard: a compiler that reassociates the sums (--use_fast_math does not, but would flush denormals: never use it).
#include "ops/mass_mask.h"

#include "cuda/context.h"
#include "cuda/rank_channels.cuh"
#include "ops/fill.h"

namespace ftwt::cuda {
namespace {

constexpr double kTolerance = 1e-5;  // massTolerance in src/ops/massMask.ts
constexpr int kWarp = 32;
constexpr int kLongRowThreads = 256;

struct MassRule {
  float share;  // of the total: what the sums may reach or, with `alive_only`, what every channel must exceed
  int64_t min_active;
  bool include_crossing;
  bool alive_only;
};

// values[i] = values[0] + .. + values[i], added from the left. By one warp.
__device__ void accumulate(float* values, int64_t count) {
  const int lane = static_cast<int>(threadIdx.x) % kWarp;
  float sum = 0;
  for (int64_t first = 0; first < count; first += kWarp) {
    const bool inside = first + lane < count;
    const float value = inside ? values[first + lane] : 0.0f;
    float own = 0;
#pragma unroll
    for (int i = 0; i < kWarp; ++i) {
      sum += __shfl_sync(0xffffffffu, value, i);
      if (i == lane) own = sum;
    }
    if (inside) values[first + lane] = own;
  }
}

// The mask of one row from its sorted keys. sums [c] is room.
__device__ void mask_by_mass(const uint64_t* keys, float* sums, int64_t c, const MassRule& rule, float* mask) {
  for (int64_t rank = threadIdx.x; rank < c; rank += blockDim.x) sums[rank] = key_saliency(keys[rank]);
  __syncthreads();
  if (threadIdx.x < kWarp) accumulate(sums, c);
  __syncthreads();
  const float limit = sums[c - 1] * rule.share;
  for (int64_t rank = threadIdx.x; rank < c; rank += blockDim.x) {
    const float saliency = key_saliency(keys[rank]);
    bool active;
    if (rule.alive_only) {
      active = saliency > limit;
    } else {
      const float before = rank == 0 ? 0.0f : sums[rank - 1];
      active = saliency > 0 && (rule.include_crossing ? before : sums[rank]) <= limit;
    }
    mask[key_channel(keys[rank])] = active || rank < rule.min_active ? 1.0f : 0.0f;
  }
}

__global__ void __launch_bounds__(kMaxSortThreads)
    mass_mask_kernel(const float* saliency, float* mask, int c, int key_count, MassRule rule) {
  auto* keys = dynamic_shared<uint64_t>();
  const int64_t row = static_cast<int64_t>(blockIdx.x) * c;
  rank_row(saliency + row, c, keys, key_count);
  mask_by_mass(keys, reinterpret_cast<float*>(keys + key_count), c, rule, mask + row);
}

__global__ void mass_mask_long_kernel(const uint64_t* keys, float* sums, float* mask, int64_t c, MassRule rule) {
  const int64_t row = static_cast<int64_t>(blockIdx.x) * c;
  mask_by_mass(keys + row, sums + row, c, rule, mask + row);
}

}  // namespace

void mass_mask(const MassMaskParams& p) {
  if (p.n * p.c == 0) return;
  if (p.mass < 0) return fill({p.mask, p.n * p.c, 1.0f});
  const bool alive_only = p.mass == 1;
  const MassRule rule{static_cast<float>(alive_only ? kTolerance : p.mass + kTolerance), p.min_active,
                      p.include_crossing, alive_only};
  const auto grid = static_cast<unsigned>(p.n);
  if (p.c <= kSharedRankChannels) {
    const int keys = sort_keys(p.c);
    const std::size_t shared_bytes = keys * (sizeof(uint64_t) + sizeof(float));
    launch(mass_mask_kernel, grid, sort_threads(keys), shared_bytes, current_stream(), p.saliency, p.mask,
           static_cast<int>(p.c), keys, rule);
    return;
  }
  const auto count = static_cast<std::size_t>(p.n * p.c);
  const DeviceBuffer keys(count * sizeof(uint64_t)), sums(count * sizeof(float));
  rank_rows(p.saliency, p.n, p.c, keys.as<uint64_t>());
  launch(mass_mask_long_kernel, grid, kLongRowThreads, 0, current_stream(), keys.as<uint64_t>(), sums.as<float>(),
         p.mask, p.c, rule);
}

}  // namespace ftwt::cuda
