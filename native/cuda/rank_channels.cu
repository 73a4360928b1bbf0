// Ranks rows that are too long for the shared memory of one block: the rank of a key is how many keys of its row are
// smaller. One thread a channel; the row passes by in tiles in shared memory. c^2 comparisons a row (c = 8192: 67 M,
// about 20 us on an H100 whose blocks are all busy), 4 bytes read and 8 written per channel and tile of the grid.
#include "cuda/rank_channels.cuh"

#include <algorithm>

#include "cuda/context.h"

namespace ftwt::cuda {
namespace {

constexpr int kThreads = 256;
constexpr int64_t kMaxGridY = 65535;

__global__ void rank_rows_kernel(const float* saliency, int64_t n, int64_t c, uint64_t* keys) {
  FTWT_SHARED(uint64_t, tile, [kThreads]);
  const int thread = static_cast<int>(threadIdx.x);
  const int64_t channel = static_cast<int64_t>(blockIdx.x) * kThreads + thread;
  for (int64_t row = blockIdx.y; row < n; row += gridDim.y) {
    const float* values = saliency + row * c;
    const uint64_t key = channel < c ? rank_key(values[channel], static_cast<uint32_t>(channel)) : 0;
    int64_t rank = 0;
    for (int64_t first = 0; first < c; first += kThreads) {
      const int64_t i = first + thread;
      __syncthreads();
      tile[thread] = i < c ? rank_key(values[i], static_cast<uint32_t>(i)) : ~uint64_t{0};
      __syncthreads();
      for (int k = 0; k < kThreads; ++k) rank += tile[k] < key;
    }
    if (channel < c) keys[row * c + rank] = key;
  }
}

}  // namespace

void rank_rows(const float* saliency, int64_t n, int64_t c, uint64_t* keys) {
  const dim3 grid(static_cast<unsigned>((c + kThreads - 1) / kThreads), static_cast<unsigned>(std::min(n, kMaxGridY)));
  launch(rank_rows_kernel, grid, kThreads, 0, current_stream(), saliency, n, c, keys);
}

}  // namespace ftwt::cuda
