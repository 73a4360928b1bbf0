// Forward: one block a sample pools the pixels into `features`, applies the softmax to them and multiplies them with
// the weights; threads lie along c_out (four columns each where c_out allows), the rest of them share out c_in, and
// their sums meet in shared memory. Images above kOneBlockFloats are pooled in splits by a launch before, so that a
// batch of one does not read a large image through one multiprocessor. Neither choice looks at n: a sample has the same
// logits in every batch.
//
// Backward: one block a sample takes dy through the dense layer (a warp a row of the weights) and the softmax; a second
// launch spreads the result over the pixels, one block a tile of channels, as in channel_pool.cuh. The maximum is
// looked for again: its pixel is not kept from the forward pass.
//
// Grid: n blocks of 256 threads; scattering n * tiles. Shared memory up to 5 KiB.
// Bytes: forward reads x once; every block reads the weights (from L2: 1 MiB for 512 x 512, 128 samples 128 MiB, about
// 25 us at 5 TB/s; the c_in * c_out MACs per sample are nothing beside them). Backward reads x and writes dx once and
// reads the weights likewise. Limit: memory for large images ([128, 32, 32, 64]: 10 us forward, 20 us backward), L2 for
// small ones.
//
// Hazards: features are written and read by one block through global memory, with a barrier between; NaN as
// on the host.
#include "ops/mask_predictor.h"

#include <algorithm>

#include "cuda/channel_pool.cuh"
#include "cuda/context.h"

namespace ftwt::cuda {
namespace {

constexpr int kThreads = kPoolThreads;
constexpr int kWarp = 32;
constexpr int kWarps = kThreads / kWarp;

// Images with more floats are pooled in splits of about kSplitFloats.
constexpr int64_t kOneBlockFloats = 1 << 16;
constexpr int64_t kSplitFloats = 1 << 14;
constexpr int64_t kMaxSplits = 65535;

template <class Pool>
__device__ float pool_warp(float value) {
#pragma unroll
  for (int step = kWarp / 2; step > 0; step /= 2) value = Pool::pool(value, __shfl_xor_sync(0xffffffffu, value, step));
  return value;
}

// The same for all threads. room: kWarps floats of shared memory.
template <class Pool>
__device__ float pool_block(float value, float* room) {
  const int warp = static_cast<int>(threadIdx.x) / kWarp, lane = static_cast<int>(threadIdx.x) % kWarp;
  value = pool_warp<Pool>(value);
  __syncthreads();
  if (lane == 0) room[warp] = value;
  __syncthreads();
  float result = room[0];
  for (int i = 1; i < kWarps; ++i) result = Pool::pool(result, room[i]);
  return result;
}

// In place, over [c].
__device__ void softmax_row(float* x, int64_t c, float* room) {
  float largest = MaxPool::first();
  for (int64_t i = threadIdx.x; i < c; i += kThreads) largest = MaxPool::pool(largest, x[i]);
  largest = pool_block<MaxPool>(largest, room);
  float sum = 0;
  for (int64_t i = threadIdx.x; i < c; i += kThreads) {
    const float power = expf(x[i] - largest);
    x[i] = power;
    sum += power;
  }
  sum = pool_block<SumPool>(sum, room);
  for (int64_t i = threadIdx.x; i < c; i += kThreads) x[i] /= sum;
}

// y [c_out] = features [c_in] * weights + bias. room: kThreads * kVector floats.
template <int kVector>
__device__ void dense(const float* features, const MaskPredictorParams& p, int lanes, float* room, float* y) {
  const int thread = static_cast<int>(threadIdx.x);
  const int lane = thread & (lanes - 1), slice = thread / lanes, slices = kThreads / lanes;
  for (int64_t first = 0; first < p.c_out; first += static_cast<int64_t>(lanes) * kVector) {
    const int64_t column = first + static_cast<int64_t>(lane) * kVector;
    Lane<kVector> sum = {};
    if (column < p.c_out) {
#pragma unroll 8
      for (int64_t k = slice; k < p.c_in; k += slices) {
        Lane<kVector> row;
        row.load(p.weights + k * p.c_out + column);
        const float feature = features[k];
        for (int v = 0; v < kVector; ++v) sum.at[v] = fmaf(feature, row.at[v], sum.at[v]);
      }
    }
    __syncthreads();
    sum.store(room + thread * kVector);
    __syncthreads();
    if (slice > 0 || column >= p.c_out) continue;
    for (int other = 1; other < slices; ++other) {
      for (int v = 0; v < kVector; ++v) sum.at[v] += room[(other * lanes + lane) * kVector + v];
    }
    for (int v = 0; v < kVector; ++v) y[column + v] = sum.at[v] + p.bias[column + v];
  }
}

// Pools with kPoolVector floats to a load, multiplies with kDenseVector.
struct PredictorTiling {
  PoolTiling pool;
  int dense_lanes;
};

template <class Pool, int kPoolVector, int kDenseVector>
__global__ void __launch_bounds__(kThreads)
    mask_predictor_kernel(MaskPredictorParams p, float divisor, PredictorTiling tiling) {
  constexpr int kVector = kPoolVector > kDenseVector ? kPoolVector : kDenseVector;
  FTWT_SHARED(float, room, [kThreads * kVector]);
  FTWT_SHARED(float, warp_room, [kWarps]);
  const int64_t sample = blockIdx.x;
  float* features = p.features + sample * p.c_in;
  for (int64_t tile = 0; tile < tiling.pool.tiles; ++tile) {
    pool_tile<Pool, kPoolVector>(p.x + sample * p.pixels * p.c_in, p.pixels, p.c_in,
                                 tile * tiling.pool.lanes * kPoolVector, tiling.pool.lanes, divisor, room, features);
  }
  __syncthreads();
  if (p.softmax) {
    softmax_row(features, p.c_in, warp_room);
    __syncthreads();
  }
  dense<kDenseVector>(features, p, tiling.dense_lanes, room, p.mask_logits + sample * p.c_out);
}

// d_pooled [n, c_in] from dy [n, c_out]: back through the dense layer and, with `softmax`, through that.
__global__ void __launch_bounds__(kThreads)
    mask_predictor_backprop_features_kernel(MaskPredictorBackpropInputParams p, float* all_d_pooled) {
  FTWT_SHARED(float, warp_room, [kWarps]);
  const int warp = static_cast<int>(threadIdx.x) / kWarp, lane = static_cast<int>(threadIdx.x) % kWarp;
  const int64_t sample = blockIdx.x;
  const float* dy = p.dy + sample * p.c_out;
  float* d_pooled = all_d_pooled + sample * p.c_in;
  for (int64_t k = warp; k < p.c_in; k += kWarps) {
    const float* row = p.weights + k * p.c_out;
    float sum = 0;
#pragma unroll 8
    for (int64_t column = lane; column < p.c_out; column += kWarp) sum = fmaf(row[column], dy[column], sum);
    sum = pool_warp<SumPool>(sum);
    if (lane == 0) d_pooled[k] = sum;
  }
  if (!p.softmax) return;
  __syncthreads();
  const float* features = p.features + sample * p.c_in;
  float mean = 0;
  for (int64_t k = threadIdx.x; k < p.c_in; k += kThreads) mean = fmaf(d_pooled[k], features[k], mean);
  mean = pool_block<SumPool>(mean, warp_room);
  for (int64_t k = threadIdx.x; k < p.c_in; k += kThreads) d_pooled[k] = features[k] * (d_pooled[k] - mean);
}

// dx = d_pooled / pixels.
template <int kVector>
__global__ void __launch_bounds__(kThreads)
    mask_predictor_spread_kernel(const float* d_pooled, float* dx, int64_t pixels, int64_t c, int64_t tiles,
                                 int lanes) {
  const int64_t sample = blockIdx.x / tiles, tile = blockIdx.x % tiles;
  const int lane = static_cast<int>(threadIdx.x) & (lanes - 1);
  const int row = static_cast<int>(threadIdx.x) / lanes, rows = kThreads / lanes;
  const int64_t channel = (tile * lanes + lane) * kVector;
  if (channel >= c) return;
  Lane<kVector> share;
  share.load(d_pooled + sample * c + channel);
  for (int v = 0; v < kVector; ++v) share.at[v] /= static_cast<float>(pixels);
  for (int64_t pixel = row; pixel < pixels; pixel += rows) share.store(dx + (sample * pixels + pixel) * c + channel);
}

// The largest value so far and its first pixel. As on the host, a NaN wins at pixel 0 and nowhere else.
struct FirstMaximum {
  float value;
  int64_t pixel;
  __device__ __forceinline__ void meet(float other, int64_t other_pixel) {
    if (other > value || (other == value && other_pixel < pixel)) {
      value = other;
      pixel = other_pixel;
    }
  }
};

// dx = d_pooled at the first pixel with the maximum, else 0.
template <int kVector>
__global__ void __launch_bounds__(kThreads)
    mask_predictor_scatter_kernel(const float* d_pooled, const float* x, float* dx, int64_t pixels, int64_t c,
                                  int64_t tiles, int lanes) {
  FTWT_SHARED(FirstMaximum, room, [kThreads]);
  const int thread = static_cast<int>(threadIdx.x);
  const int64_t sample = blockIdx.x / tiles, tile = blockIdx.x % tiles;
  const int lane = thread & (lanes - 1), row = thread / lanes, rows = kThreads / lanes;
  const int64_t channel = (tile * lanes + lane) * kVector;
  const bool inside = channel < c;
  const int64_t image = sample * pixels * c + channel;
  FirstMaximum best[kVector];
  for (int v = 0; v < kVector; ++v) best[v] = {-INFINITY, pixels};
  for (int64_t pixel = row; inside && pixel < pixels; pixel += rows) {
    Lane<kVector> value;
    value.load(x + image + pixel * c);
    for (int v = 0; v < kVector; ++v) {
      const bool wins = pixel == 0 && value.at[v] != value.at[v];
      best[v].meet(wins ? INFINITY : value.at[v], pixel);
    }
  }
  for (int v = 0; v < kVector; ++v) {
    __syncthreads();
    room[thread] = best[v];
    for (int half = rows / 2; half > 0; half /= 2) {
      __syncthreads();
      if (row < half) room[thread].meet(room[thread + half * lanes].value, room[thread + half * lanes].pixel);
    }
    __syncthreads();
    best[v] = room[lane];
  }
  if (!inside) return;
  Lane<kVector> d;
  d.load(d_pooled + sample * c + channel);
  for (int64_t pixel = row; pixel < pixels; pixel += rows) {
    Lane<kVector> value;
    for (int v = 0; v < kVector; ++v) value.at[v] = best[v].pixel == pixel ? d.at[v] : 0.0f;
    value.store(dx + image + pixel * c);
  }
}

template <class Pool>
void launch_predictor(const MaskPredictorParams& p, float divisor) {
  PredictorTiling tiling{pool_tiling(p.c_in, aligned_to_vector(p.x) && aligned_to_vector(p.features)), 1};
  const bool dense_vectors = p.c_out % 4 == 0 && aligned_to_vector(p.weights);
  const int64_t columns = dense_vectors ? p.c_out / 4 : p.c_out;
  while (tiling.dense_lanes < kThreads && tiling.dense_lanes < columns) tiling.dense_lanes *= 2;
  const bool pool_vectors = tiling.pool.vector == 4;
  const auto kernel = pool_vectors
                          ? (dense_vectors ? mask_predictor_kernel<Pool, 4, 4> : mask_predictor_kernel<Pool, 4, 1>)
                          : (dense_vectors ? mask_predictor_kernel<Pool, 1, 4> : mask_predictor_kernel<Pool, 1, 1>);
  launch(kernel, static_cast<unsigned>(p.n), kThreads, 0, current_stream(), p, divisor, tiling);
}

template <class Pool>
void run_predictor(const MaskPredictorParams& p) {
  const float divisor = p.average ? static_cast<float>(p.pixels) : 1.0f;
  if (p.pixels * p.c_in <= kOneBlockFloats) return launch_predictor<Pool>(p, divisor);
  const int64_t share = std::max({int64_t{1}, kSplitFloats / p.c_in, (p.pixels + kMaxSplits - 1) / kMaxSplits});
  const int64_t splits = (p.pixels + share - 1) / share;
  const DeviceBuffer parts(static_cast<std::size_t>(p.n * splits * p.c_in) * sizeof(float));
  launch_pool_channels<Pool>(p.x, parts.as<float>(), p.n, p.pixels, p.c_in, share, current_stream());
  MaskPredictorParams head = p;
  head.x = parts.as<float>();
  head.pixels = splits;
  launch_predictor<Pool>(head, divisor);
}

}  // namespace

void mask_predictor(const MaskPredictorParams& p) {
  if (p.n == 0) return;
  p.average ? run_predictor<SumPool>(p) : run_predictor<MaxPool>(p);
}

void mask_predictor_backprop_input(const MaskPredictorBackpropInputParams& p) {
  if (p.n == 0) return;
  const DeviceBuffer d_pooled(static_cast<std::size_t>(p.n * p.c_in) * sizeof(float));
  const cudaStream_t stream = current_stream();
  launch(mask_predictor_backprop_features_kernel, static_cast<unsigned>(p.n), kThreads, 0, stream, p,
         d_pooled.as<float>());
  const PoolTiling tiling = pool_tiling(p.c_in, aligned_to_vector(p.x) && aligned_to_vector(p.dx));
  const auto blocks = static_cast<unsigned>(p.n * tiling.tiles);
  const bool vectors = tiling.vector == 4;
  if (p.average) {
    launch(vectors ? mask_predictor_spread_kernel<4> : mask_predictor_spread_kernel<1>, blocks, kThreads, 0, stream,
           d_pooled.as<float>(), p.dx, p.pixels, p.c_in, tiling.tiles, tiling.lanes);
  } else {
    launch(vectors ? mask_predictor_scatter_kernel<4> : mask_predictor_scatter_kernel<1>, blocks, kThreads, 0, stream,
           d_pooled.as<float>(), p.x, p.dx, p.pixels, p.c_in, tiling.tiles, tiling.lanes);
  }
}

}  // namespace ftwt::cuda
