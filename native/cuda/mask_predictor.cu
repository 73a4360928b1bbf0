// One block a sample pools the pixels into `features`, applies the softmax to them and multiplies them with
// the weights; threads lie along c_out (four columns each where c_out allows), the rest of them share out c_in, and
// their sums meet in shared memory. Images above kOneBlockFloats are pooled in splits by a launch before, so that a
// batch of one does not read a large image through one multiprocessor. Neither choice looks at n: a sample has the same
// logits in every batch.
//
// In a compiled network the block then lists the active channels of its sample, its input may be packed, and nothing
// but the lists leaves it: one launch for a predictor and all that the convolution after it has to know.
//
// Grid: n blocks of 256 threads. Shared memory up to 5 KiB.
// Bytes: x once, packed or not; every block reads the weights (from L2: 1 MiB for 512 x 512, 128 samples 128 MiB, about
// 25 us at 5 TB/s; the c_in * c_out MACs per sample are nothing beside them). Limit: memory for large images
// ([128, 32, 32, 64]: 10 us), L2 for small ones.
//
// Hazards: features are written and read by one block through global memory, with a barrier between; NaN as
// on the host.
#include "ops/mask_predictor.h"

#include <algorithm>

#include "cuda/channel_pool.cuh"
#include "cuda/context.h"
#include "cuda/network_ops.h"

namespace ftwt::cuda {
namespace {

constexpr int kThreads = kPoolThreads;
static_assert(kThreads == kListThreads, "the same block pools and lists");

// Images with more floats are pooled in splits of about kSplitFloats.
constexpr int64_t kOneBlockFloats = 1 << 16;
constexpr int64_t kSplitFloats = 1 << 14;
constexpr int64_t kMaxSplits = 65535;

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

// What follows the pooling. Arrays as in MaskPredictorParams.
struct PredictorHead {
  const float* weights;
  const float* bias;
  float* mask_logits;
  float* features;
  int64_t c_in, c_out;
  bool softmax;
};

// y [c_out] = features [c_in] * weights + bias. room: kThreads * kVector floats.
template <int kVector>
__device__ void dense(const float* features, const PredictorHead& p, int lanes, float* room, float* y) {
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

// Lists the channels of a sample whose logits are above 0, or those that are forced.
__device__ void list_gate(const ActiveOutput& gate, int64_t sample, const float* logits, int c, int* counts) {
  uint8_t* masks = gate.masks + sample * gate.mask_stride;
  const uint8_t* forced = gate.forced == nullptr ? nullptr : gate.forced + sample * gate.mask_stride;
  const auto is_active = [&](int channel) {
    const bool active = forced == nullptr ? logits[channel] > 0 : forced[channel] != 0;
    masks[channel] = active ? 1 : 0;
    return active;
  };
  const int count = list_active(c, is_active, gate.lists + sample * c, gate.ranks + sample * (c + 1), counts);
  if (threadIdx.x == 0) gate.counts[sample * gate.count_stride] = count;
}

// gate.lists nullptr: none are listed. Four blocks at once, or the compiler spills to fit six.
template <class Pool, int kPoolVector, int kDenseVector>
__global__ void __launch_bounds__(kThreads, 4)
    mask_predictor_kernel(PooledPixels x, PredictorHead p, ActiveOutput gate, float divisor, PredictorTiling tiling) {
  constexpr int kVector = kPoolVector > kDenseVector ? kPoolVector : kDenseVector;
  FTWT_SHARED(float, room, [kThreads * kVector]);
  FTWT_SHARED(float, warp_room, [kPoolWarps]);
  const int64_t sample = blockIdx.x;
  float* features = p.features + sample * p.c_in;
  for (int64_t tile = 0; tile < tiling.pool.tiles; ++tile) {
    pool_sample<Pool, kPoolVector>(x, sample, 0, x.pixels, tile * tiling.pool.lanes * kPoolVector, tiling.pool.lanes,
                                   divisor, room, features);
  }
  __syncthreads();
  if (p.softmax) {
    softmax_row(features, p.c_in, warp_room);
    __syncthreads();
  }
  float* logits = p.mask_logits + sample * p.c_out;
  dense<kDenseVector>(features, p, tiling.dense_lanes, room, logits);
  if (gate.lists == nullptr) return;
  FTWT_SHARED(int, counts, [kListWarps]);
  __syncthreads();  // the logits are there
  list_gate(gate, sample, logits, static_cast<int>(p.c_out), counts);
}

template <class Pool>
void launch_predictor(const PooledPixels& x, int64_t n, const PredictorHead& p, const ActiveOutput& gate,
                      float divisor) {
  PredictorTiling tiling{pooled_tiling(x, aligned_to_vector(p.features)), 1};
  const bool dense_vectors = p.c_out % 4 == 0 && aligned_to_vector(p.weights);
  const int64_t columns = dense_vectors ? p.c_out / 4 : p.c_out;
  while (tiling.dense_lanes < kThreads && tiling.dense_lanes < columns) tiling.dense_lanes *= 2;
  const bool pool_vectors = tiling.pool.vector == 4;
  const auto kernel = pool_vectors
                          ? (dense_vectors ? mask_predictor_kernel<Pool, 4, 4> : mask_predictor_kernel<Pool, 4, 1>)
                          : (dense_vectors ? mask_predictor_kernel<Pool, 1, 4> : mask_predictor_kernel<Pool, 1, 1>);
  launch(kernel, static_cast<unsigned>(n), kThreads, 0, current_stream(), x, p, gate, divisor, tiling);
}

template <class Pool>
void run_predictor(const PooledPixels& x, int64_t n, const PredictorHead& p, const ActiveOutput& gate, bool average) {
  const float divisor = average ? static_cast<float>(x.pixels) : 1.0f;
  if (x.pixels * x.c <= kOneBlockFloats) return launch_predictor<Pool>(x, n, p, gate, divisor);
  const int64_t share = std::max({int64_t{1}, kSplitFloats / x.c, (x.pixels + kMaxSplits - 1) / kMaxSplits});
  const int64_t splits = (x.pixels + share - 1) / share;
  const DeviceBuffer parts(static_cast<std::size_t>(n * splits * x.c) * sizeof(float));
  launch_pool_channels<Pool>(x, parts.as<float>(), n, share, 1.0f, current_stream());
  launch_predictor<Pool>(all_channels(parts.as<float>(), splits, x.c), n, p, gate, divisor);
}

}  // namespace

void mask_predictor(const MaskPredictorParams& p) {
  if (p.n == 0) return;
  const PredictorHead head = {p.weights, p.bias, p.mask_logits, p.features, p.c_in, p.c_out, p.softmax};
  const auto run = p.average ? run_predictor<SumPool> : run_predictor<MaxPool>;
  run(all_channels(p.x, p.pixels, p.c_in), p.n, head, {}, p.average);
}

void predict_gate(const GatePredictor& p) {
  const int64_t c_in = p.x.active.c;
  const DeviceBuffer features(static_cast<std::size_t>(p.n * c_in) * sizeof(float));
  const DeviceBuffer logits(static_cast<std::size_t>(p.n * p.c_out) * sizeof(float));
  const PredictorHead head = {p.weights, p.bias, logits.as<float>(), features.as<float>(), c_in, p.c_out, p.softmax};
  const auto run = p.average ? run_predictor<SumPool> : run_predictor<MaxPool>;
  run(pooled_pixels(p.x, p.pixels), p.n, head, p.y, p.average);
}

}  // namespace ftwt::cuda
