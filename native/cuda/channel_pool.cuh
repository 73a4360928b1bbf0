// Pooling of whole channels, [pixels, c] to [c], by one block.
#pragma once
#include <cuda_runtime.h>

#include <cstdint>

#include "cuda/active_channels.cuh"
#include "cuda/device.cuh"

namespace ftwt::cuda {

constexpr int kPoolThreads = 256;
constexpr int kPoolWarps = kPoolThreads / 32;
constexpr int kPoolMaxLanes = 32;  // by default: threads side by side along the channels; the others take other pixels

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

template <class Pool>
__device__ __forceinline__ float pool_warp(float value) {
#pragma unroll
  for (int step = 16; step > 0; step /= 2) value = Pool::pool(value, __shfl_xor_sync(0xffffffffu, value, step));
  return value;
}

// The same for all threads. room: kPoolWarps floats of shared memory.
template <class Pool>
__device__ __forceinline__ float pool_block(float value, float* room) {
  const int warp = static_cast<int>(threadIdx.x) / 32, lane = static_cast<int>(threadIdx.x) % 32;
  value = pool_warp<Pool>(value);
  __syncthreads();
  if (lane == 0) room[warp] = value;
  __syncthreads();
  float result = room[0];
  for (int i = 1; i < kPoolWarps; ++i) result = Pool::pool(result, room[i]);
  return result;
}

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

// How the threads of a block share out a tile of channels; the same for every call with this c and these lanes.
struct PoolTiling {
  int vector;     // floats to a load
  int lanes;      // a power of two
  int64_t tiles;  // of lanes * vector channels
  int64_t channels() const { return static_cast<int64_t>(lanes) * vector; }
};

// Vector loads need every pixel of every array on a multiple of 16 bytes.
inline PoolTiling pool_tiling(int64_t c, bool aligned, int max_lanes = kPoolMaxLanes) {
  PoolTiling tiling{aligned && c % 4 == 0 ? 4 : 1, 1, 0};
  while (tiling.lanes < max_lanes && tiling.channels() < c) tiling.lanes *= 2;
  tiling.tiles = (c + tiling.channels() - 1) / tiling.channels();
  return tiling;
}

inline bool aligned_to_vector(const void* address) { return reinterpret_cast<uintptr_t>(address) % 16 == 0; }

// What is pooled.
struct PooledPixels {
  const float* data;  // [n, pixels, c], or packed
  int64_t pixels, c;
  bool packed;
  ActiveChannels active;  // where packed
};

inline PooledPixels all_channels(const float* data, int64_t pixels, int64_t c) {
  return {data, pixels, c, false, ActiveChannels()};
}

inline PooledPixels pooled_pixels(const Activations& x, int64_t pixels) {
  return {x.data, pixels, x.active.c, x.packed, ActiveChannels(x.active)};
}

inline PoolTiling pooled_tiling(const PooledPixels& x, bool aligned, int max_lanes = kPoolMaxLanes) {
  return x.packed ? pool_tiling(packed_channels(x.active.c), true, max_lanes)
                  : pool_tiling(x.c, aligned && aligned_to_vector(x.data), max_lanes);
}

// Pools x[pixel * c + i] over the pixels, divided by divisor, for the lanes * kVector channels from `first` on: calls
// store(i, Lane of the channels from i on) for each, for the block to read after the next barrier. room:
// kPoolThreads * kVector floats of shared memory.
template <class Pool, int kVector, class Store>
__device__ void pool_tile(const float* x, int64_t pixels, int64_t c, int64_t first, int lanes, float divisor,
                          float* room, const Store& store) {
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
  store(channel, kept);
}

// The same of sample `sample` of x [n, pixels, c], where the channels may be packed: y [c] gets all of its channels.
template <class Pool, int kVector>
__device__ void pool_sample(const PooledPixels& x, int64_t sample, int64_t begin, int64_t count, int64_t first,
                            int lanes, float divisor, float* room, float* y) {
  const int32_t* list = x.packed ? x.active.list(sample) : nullptr;
  int64_t channels = x.c, width = x.c, stride = x.c;
  if (x.packed) {
    const int32_t* rank = x.active.rank(sample);
    channels = rank[x.c];
    width = packed_channels(static_cast<int>(channels));
    stride = packed_channels(x.active.c);
    const int64_t end = min(first + static_cast<int64_t>(lanes) * kVector, x.c);
    for (int64_t channel = first + threadIdx.x; channel < end; channel += kPoolThreads) {
      if (rank[channel + 1] == rank[channel]) y[channel] = 0.0f;
    }
  }
  pool_tile<Pool, kVector>(x.data + (sample * x.pixels * stride + begin * width), count, width, first, lanes, divisor,
                           room, [&](int64_t channel, const Lane<kVector>& kept) {
                             if (list == nullptr) return kept.store(y + channel);
                             for (int v = 0; v < kVector; ++v) {
                               if (channel + v < channels) y[list[channel + v]] = kept.at[v];
                             }
                           });
}

// y [n, splits, c] from x: every split pools `share` pixels. Grid: (n * tiles, splits).
template <class Pool, int kVector>
__global__ void __launch_bounds__(kPoolThreads)
    pool_channels_kernel(PooledPixels x, float* y, int64_t share, int64_t tiles, int lanes, float divisor) {
  FTWT_SHARED(float, room, [kPoolThreads * kVector]);
  const int64_t sample = blockIdx.x / tiles, tile = blockIdx.x % tiles;
  const int64_t begin = blockIdx.y * share;
  const int64_t count = x.pixels - begin < share ? x.pixels - begin : share;
  pool_sample<Pool, kVector>(x, sample, begin, count, tile * lanes * kVector, lanes, divisor, room,
                             y + (sample * gridDim.y + blockIdx.y) * x.c);
}

// Of at most 65535 splits.
template <class Pool>
void launch_pool_channels(const PooledPixels& x, float* y, int64_t n, int64_t share, float divisor,
                          cudaStream_t stream) {
  const PoolTiling tiling = pooled_tiling(x, aligned_to_vector(y));
  const dim3 grid(static_cast<unsigned>(n * tiling.tiles), static_cast<unsigned>((x.pixels + share - 1) / share));
  const auto kernel = tiling.vector == 4 ? pool_channels_kernel<Pool, 4> : pool_channels_kernel<Pool, 1>;
  launch(kernel, grid, kPoolThreads, 0, stream, x, y, share, tiling.tiles, tiling.lanes, divisor);
}

}  // namespace ftwt::cuda
