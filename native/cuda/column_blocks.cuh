// Blocks over the columns of a matrix whose rows are contiguous: neighbouring threads in x read neighbouring vectors of
// a row, threads in y take different rows, and sums down the columns go through shared memory.
#pragma once
#include <cuda_runtime.h>

#include <algorithm>
#include <cstdint>

namespace ftwt::cuda {

constexpr int kColumnThreads = 256;

// `tiles` blocks of `width` vectors side by side. Few columns make low, tall blocks, whose warps still read whole
// lines.
struct ColumnBlocks {
  int64_t tiles;
  int width, height;

  ColumnBlocks(int64_t vectors, int max_width)
      : tiles((vectors + max_width - 1) / max_width),
        width(static_cast<int>((vectors + tiles - 1) / tiles)),
        height(kColumnThreads / width) {}

  dim3 block() const { return dim3(static_cast<unsigned>(width), static_cast<unsigned>(height)); }
};

// How many blocks share the rows of one tile: enough to fill the device, as long as each has `rows_per_block` to do.
inline int64_t row_blocks(int64_t device_blocks, int64_t tiles, int64_t rows, int64_t rows_per_block) {
  constexpr int64_t kMost = 65535;  // as blockIdx.y
  const int64_t wanted = std::min(std::max<int64_t>(1, device_blocks / tiles), kMost);
  return std::max<int64_t>(1, std::min(wanted, (rows + rows_per_block - 1) / rows_per_block));
}

// Sums `values` over threadIdx.y, in an order that depends on blockDim.y alone; row 0 of the block gets the sums.
// tile: kCount * kColumnThreads elements. All threads of the block must call it.
template <int kCount, typename T>
__device__ __forceinline__ void sum_over_rows(T* tile, T* values) {
  const unsigned threads = blockDim.x * blockDim.y;
  T* self = tile + threadIdx.y * blockDim.x + threadIdx.x;
#pragma unroll
  for (int k = 0; k < kCount; ++k) self[k * threads] = values[k];
  for (unsigned rows = blockDim.y; rows > 1;) {
    const unsigned half = (rows + 1) / 2;
    __syncthreads();
    if (threadIdx.y + half < rows) {
#pragma unroll
      for (int k = 0; k < kCount; ++k) self[k * threads] += self[k * threads + half * blockDim.x];
    }
    rows = half;
  }
  if (threadIdx.y == 0) {
#pragma unroll
    for (int k = 0; k < kCount; ++k) values[k] = self[k * threads];
  }
}

// The block that adds up partial sums: 32 columns, 8 threads to each.
constexpr int kTotalWidth = 32;
inline dim3 total_block() { return dim3(kTotalWidth, kColumnThreads / kTotalWidth); }
inline unsigned total_grid(int64_t columns) { return static_cast<unsigned>((columns + kTotalWidth - 1) / kTotalWidth); }

// This thread's share of the sum of count numbers that lie `stride` apart.
template <typename T>
__device__ __forceinline__ T partial_total(const T* partials, int64_t count, int64_t stride) {
  T sum = 0;
#pragma unroll 8
  for (int64_t i = threadIdx.y; i < count; i += blockDim.y) sum += partials[i * stride];
  return sum;
}

}  // namespace ftwt::cuda
