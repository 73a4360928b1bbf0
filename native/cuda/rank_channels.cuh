// The order in which the mask rules take the channels of a sample, with the keys of native/cpu/rank_channels.h: one
// integer comparison decides by falling saliency and, among equals, by rising channel.
#pragma once
#include <cuda_runtime.h>

#include <cstdint>

#include "cuda/device.cuh"

namespace ftwt::cuda {

// Rows of up to this many channels are sorted in shared memory, by the block that then uses them.
constexpr int kSharedRankChannels = 4096;

constexpr int kMinSortKeys = 64;  // two to a lane
constexpr int kMaxSortThreads = 1024;

// Keys that a row takes in shared memory: a power of two.
inline int sort_keys(int64_t c) {
  int keys = kMinSortKeys;
  while (keys < c) keys *= 2;
  return keys;
}
inline int sort_threads(int keys) { return keys / 2 < kMaxSortThreads ? keys / 2 : kMaxSortThreads; }

// keys [n, c]: the keys of each row, sorted. For rows of any length; O(c^2) comparisons a row.
void rank_rows(const float* saliency, int64_t n, int64_t c, uint64_t* keys);

// NaN and negative saliencies count as 0, those above 1e30 as that, so that no sum of them overflows.
__device__ __forceinline__ uint64_t rank_key(float saliency, uint32_t channel) {
  constexpr float kLargestSaliency = 1e30f;
  const float value = saliency > 0 ? fminf(saliency, kLargestSaliency) : 0.0f;
  return static_cast<uint64_t>(~__float_as_uint(value)) << 32 | channel;
}
__device__ __forceinline__ float key_saliency(uint64_t key) {
  return __uint_as_float(~static_cast<uint32_t>(key >> 32));
}
__device__ __forceinline__ uint32_t key_channel(uint64_t key) { return static_cast<uint32_t>(key); }

// Sorts a row into keys[0 .. c) (shared memory, `count` = sort_keys(c) places) with sort_threads(count) threads.
__device__ inline void rank_row(const float* saliency, int c, uint64_t* keys, int count) {
  const int thread = static_cast<int>(threadIdx.x), threads = static_cast<int>(blockDim.x);
  for (int i = thread; i < count; i += threads) {
    keys[i] = i < c ? rank_key(saliency[i], static_cast<uint32_t>(i)) : ~uint64_t{0};
  }
  __syncthreads();
  for (int size = 2; size <= count; size *= 2) {
    for (int stride = size / 2; stride > 0; stride /= 2) {
      for (int i = thread; i < count / 2; i += threads) {
        const int low = 2 * i - (i & (stride - 1));
        const uint64_t a = keys[low], b = keys[low + stride];
        const bool rising = (low & size) == 0;
        if ((a > b) == rising) {
          keys[low] = b;
          keys[low + stride] = a;
        }
      }
      // A warp compares the same 64 neighbours in all steps whose stride is at most 32.
      const int next_stride = stride > 1 ? stride / 2 : size;
      if (stride <= 32 && next_stride <= 32) {
        __syncwarp();
      } else {
        __syncthreads();
      }
    }
  }
  __syncthreads();
}

}  // namespace ftwt::cuda
