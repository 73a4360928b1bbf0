// The predictor's gradient: one block a sample takes dy through the dense layer (a warp a row of the weights) and the
// softmax; a second launch spreads the result over the pixels, one block a tile of channels, as in channel_pool.cuh.
// The maximum is looked for again: its pixel is not kept from the forward pass.
//
// Grid: n blocks of 256 threads; scattering n * tiles. Bytes: x read and dx written once, and the weights by every
// block (from L2). Limit: memory for large images ([128, 32, 32, 64]: 20 us), L2 for small ones.
//
// Hazards: NaN as on the host.
#include "cuda/channel_pool.cuh"
#include "cuda/context.h"
#include "ops/mask_predictor.h"

namespace ftwt::cuda {
namespace {

constexpr int kThreads = kPoolThreads;
constexpr int kWarp = 32;
constexpr int kWarps = kPoolWarps;

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

}  // namespace

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
