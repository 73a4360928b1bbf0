// Pooling of whole channels, [pixels, c] to [c], by one block.
#pragma once
#include <cuda_runtime.h>

#include <cstdint>

#include "cuda/device.cuh"

namespace ftwt::cuda {

constexpr int kPoolThreads = 256;
constexpr int kPoolMaxLanes = 32;  // threads side by side along the channels; the others take other pixels

// What is kept of the values so far. Partial results are pooled in the same way.
struct MaxMagnitudePool {
  static __device__ __forceinline__ float first() { return 0.0f; }
  static __device__ __forceinline__ float pool(float best, float value) {
    const float magnitude = fabsf(value);
    // A NaN stays once it is there: every comparison with it is false.
    return magnitude > best || magnitude != magnitude ? magnitude : best;
  }
};
struct MaxPool {
  static __device__ __forceinline__ float first() { return -INFINITY; }
  static __device__ __forceinline__ float pool(float best, float value) {
    return value > best || value != value ? value : best;
  }
};
struct SumPool {
  static __device__ __forceinline__ float first() { return 0.0f; }
  static __device__ __forceinline__ float pool(float sum, float value) { return sum + value; }
};

template <int kVector>
struct Lane;
template <>
struct Lane<1> {
  float at[1];
  __device__ __forceinline__ void load(const float* x) { at[0] = *x; }
  __device__ __forceinline__ void store(float* y) const { *y = at[0]; }
};
template <>
struct Lane<4> {
  float at[4];
  __device__ __forceinline__ void load(const float* x) {
    const float4 v = *reinterpret_cast<const float4*>(x);
    at[0] = v.x, at[1] = v.y, at[2] = v.z, at[3] = v.w;
  }
  __device__ __forceinline__ void store(float* y) const {
    *reinterpret_cast<float4*>(y) = make_float4(at[0], at[1], at[2], at[3]);
  }
};

// How the threads of a block share out a tile of channels; the same for every call with this c.
struct PoolTiling {
  int vector;     // floats to a load
  int lanes;      // a power of two
  int64_t tiles;  // of lanes * vector channels
  int64_t channels() const { return static_cast<int64_t>(lanes) * vector; }
};

// Vector loads need every pixel of every array on a multiple of 16 bytes.
inline PoolTiling pool_tiling(int64_t c, bool aligned) {
  PoolTiling tiling{aligned && c % 4 == 0 ? 4 : 1, 1, 0};
  while (tiling.lanes < kPoolMaxLanes && tiling.channels() < c) tiling.lanes *= 2;
  tiling.tiles = (c + tiling.channels() - 1) / tiling.channels();
  return tiling;
}

inline bool aligned_to_vector(const void* address) { return reinterpret_cast<uintptr_t>(address) % 16 == 0; }

// y[i] = pool over the pixels of x[pixel * c + i] / divisor for the lanes * kVector channels from `first` on. y is read
// by the block after the next barrier. room: kPoolThreads * kVector floats of shared memory.
template <class Pool, int kVector>
__device__ void pool_tile(const float* x, int64_t pixels, int64_t c, int64_t first, int lanes, float divisor,
                          float* room, float* y) {
  const int thread = static_cast<int>(threadIdx.x);
  const int lane = thread & (lanes - 1), row = thread / lanes, rows = kPoolThreads / lanes;
  const int64_t channel = first + static_cast<int64_t>(lane) * kVector;
  Lane<kVector> kept;
  for (int v = 0; v < kVector; ++v) kept.at[v] = Pool::first();
  if (channel < c) {
    const float* source = x + channel;
#pragma unroll 4
    for (int64_t pixel = row; pixel < pixels; pixel += rows) {
      Lane<kVector> value;
      value.load(source + pixel * c);
      for (int v = 0; v < kVector; ++v) kept.at[v] = Pool::pool(kept.at[v], value.at[v]);
    }
  }
  float* own = room + thread * kVector;
  __syncthreads();  // the room may still be read from the call before
  kept.store(own);
  for (int half = rows / 2; half > 0; half /= 2) {
    __syncthreads();
    if (row >= half) continue;
    const float* other = own + half * lanes * kVector;
    for (int v = 0; v < kVector; ++v) kept.at[v] = Pool::pool(kept.at[v], other[v]);
    kept.store(own);
  }
  if (row > 0 || channel >= c) return;
  for (int v = 0; v < kVector; ++v) kept.at[v] /= divisor;
  kept.store(y + channel);
}

// y [n, splits, c] from x [n, pixels, c]: every split pools `share` pixels. Grid: (n * tiles, splits).
template <class Pool, int kVector>
__global__ void __launch_bounds__(kPoolThreads)
    pool_channels_kernel(const float* x, float* y, int64_t pixels, int64_t c, int64_t share, int64_t tiles, int lanes) {
  FTWT_SHARED(float, room, [kPoolThreads * kVector]);
  const int64_t sample = blockIdx.x / tiles, tile = blockIdx.x % tiles;
  const int64_t begin = blockIdx.y * share;
  const int64_t count = pixels - begin < share ? pixels - begin : share;
  pool_tile<Pool, kVector>(x + (sample * pixels + begin) * c, count, c, tile * lanes * kVector, lanes, 1.0f, room,
                           y + (sample * gridDim.y + blockIdx.y) * c);
}

// Of at most 65535 splits.
template <class Pool>
void launch_pool_channels(const float* x, float* y, int64_t n, int64_t pixels, int64_t c, int64_t share,
                          cudaStream_t stream) {
  const PoolTiling tiling = pool_tiling(c, aligned_to_vector(x) && aligned_to_vector(y));
  const dim3 grid(static_cast<unsigned>(n * tiling.tiles), static_cast<unsigned>((pixels + share - 1) / share));
  const auto kernel = tiling.vector == 4 ? pool_channels_kernel<Pool, 4> : pool_channels_kernel<Pool, 1>;
  launch(kernel, grid, kPoolThreads, 0, stream, x, y, pixels, c, share, tiling.tiles, tiling.lanes);
}

}  // namespace ftwt::cuda
