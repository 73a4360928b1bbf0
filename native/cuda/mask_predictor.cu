// Up to four launches, each as wide as its work, none of which looks at n for the order of a sum: a sample has the same
// logits in every batch.
//
//   1. Images above kDirectFloats are pooled in splits (channel_pool.cuh).
//   2. A block a sample pools what is left, and applies the softmax: the features. Where the batch is small, the blocks
//      of step 3 do this for themselves, as a launch takes longer.
//   3. Features times weights: a block takes 32 columns for one sample, or for four that then share what is read of the
//      weights. Its threads lie along the columns (four to a thread where c_out allows) and share out c_in; their sums
//      meet in shared memory.
//   4. In a compiled network, a block a sample lists the active channels; with at most 32 columns step 3 does it.
//
// Blocks of 256 threads; shared memory up to 16 KiB, and the features of step 3.
// Bytes: x once, packed or not; the weights once for each sample or for each four, from L2. Limit: memory for large
// images ([128, 32, 32, 64]: 10 us); for small ones the latency of the launches: 512 to 512 takes 7 to 10 us for one
// sample, 14 to 19 for 32 (H200).
//
// Hazards: NaN as on the host.
#include "ops/mask_predictor.h"

#include <algorithm>
#include <optional>

#include "cuda/channel_pool.cuh"
#include "cuda/context.h"
#include "cuda/network_ops.h"

namespace ftwt::cuda {
namespace {

constexpr int kThreads = kPoolThreads;
static_assert(kThreads == kListThreads, "the same block multiplies and lists");

constexpr int64_t kDirectFloats = 8192;
constexpr int64_t kSplitRounds = 8;  // pixels to a thread
constexpr int64_t kMaxSplits = 64;

constexpr int kTileColumns = 32;
constexpr int kSamplesOfBlock = 4;
constexpr int64_t kOwnFeatures = 8192;  // in shared memory

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

// Step 2.
struct FeatureMaker {
  PooledPixels x;
  PoolTiling tiling;
  float divisor;
  bool softmax;

  // By one block, for its threads to read. room: kThreads * kVector floats and warp_room: kPoolWarps, of shared memory.
  template <class Pool, int kVector>
  __device__ __forceinline__ void make(int64_t sample, float* room, float* warp_room, float* features) const {
    for (int64_t tile = 0; tile < tiling.tiles; ++tile) {
      pool_sample<Pool, kVector>(x, sample, 0, x.pixels, tile * tiling.lanes * kVector, tiling.lanes, divisor, room,
                                 features);
    }
    __syncthreads();
    if (!softmax) return;
    softmax_row(features, x.c, warp_room);
    __syncthreads();
  }
};

template <class Pool, int kVector>
__global__ void __launch_bounds__(kThreads) features_kernel(FeatureMaker maker, float* features) {
  FTWT_SHARED(float, room, [kThreads * kVector]);
  FTWT_SHARED(float, warp_room, [kPoolWarps]);
  const int64_t sample = blockIdx.x;
  maker.make<Pool, kVector>(sample, room, warp_room, features + sample * maker.x.c);
}

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

__global__ void __launch_bounds__(kThreads) list_gate_kernel(ActiveOutput gate, const float* logits, int c) {
  FTWT_SHARED(int, counts, [kListWarps]);
  const int64_t sample = blockIdx.x;
  list_gate(gate, sample, logits + sample * c, c, counts);
}

// Step 3. Arrays as in MaskPredictorParams.
struct PredictorHead {
  const float* weights;
  const float* bias;
  float* mask_logits;
  const float* features;  // nullptr: each block of one sample makes its own
  int64_t n, c_in, c_out;
  int column_tiles;
};

// The sums of a block: kTileColumns columns for up to kSamples samples.
template <int kVector, int kSamples>
class Product {
 public:
  static constexpr int kRoom = kSamples * kThreads * kVector;

  // features [samples, c_in].
  __device__ __forceinline__ void add(const PredictorHead& p, const float* features, int samples,
                                      int64_t first_column) {
    const int64_t column = first_column + lane() * kVector;
    if (column >= p.c_out) return;
#pragma unroll 4
    for (int64_t k = slice(); k < p.c_in; k += kSlices) {
      Lane<kVector> row;
      row.load(p.weights + k * p.c_out + column);
#pragma unroll
      for (int s = 0; s < kSamples; ++s) {
        const float feature = features[(s < samples ? s : 0) * p.c_in + k];
        for (int v = 0; v < kVector; ++v) sum_[s].at[v] = fmaf(feature, row.at[v], sum_[s].at[v]);
      }
    }
  }

  // Adds up the threads' shares in room, kRoom floats of shared memory.
  __device__ __forceinline__ void write(const PredictorHead& p, int64_t first_sample, int samples, int64_t first_column,
                                        float* room) const {
    const int thread = static_cast<int>(threadIdx.x);
    const int column = thread % kTileColumns, part = thread / kTileColumns;
    __syncthreads();  // the room may still be read
#pragma unroll
    for (int s = 0; s < kSamples; ++s) {
      sum_[s].store(room + s * kShares + slice() * kTileColumns + lane() * kVector);
    }
    __syncthreads();
    float sums[kSamples];
#pragma unroll
    for (int s = 0; s < kSamples; ++s) {
      sums[s] = 0;
      for (int i = 0; i < kVector; ++i) sums[s] += room[s * kShares + (part * kVector + i) * kTileColumns + column];
    }
    __syncthreads();
#pragma unroll
    for (int s = 0; s < kSamples; ++s) room[s * kThreads + thread] = sums[s];
    __syncthreads();
    if (part >= samples || first_column + column >= p.c_out) return;
    float sum = 0;  // of sample `part`
    for (int i = 0; i < kParts; ++i) sum += room[part * kThreads + i * kTileColumns + column];
    p.mask_logits[(first_sample + part) * p.c_out + first_column + column] = sum + p.bias[first_column + column];
  }

 private:
  static constexpr int kLanes = kTileColumns / kVector, kSlices = kThreads / kLanes;
  static constexpr int kShares = kSlices * kTileColumns, kParts = kThreads / kTileColumns;
  static_assert(kShares == kThreads * kVector && kSamples <= kParts);

  static __device__ __forceinline__ int lane() { return static_cast<int>(threadIdx.x) % kLanes; }
  static __device__ __forceinline__ int slice() { return static_cast<int>(threadIdx.x) / kLanes; }

  Lane<kVector> sum_[kSamples] = {};
};

// gate.lists nullptr: not by this launch.
template <class Pool, int kPoolVector, int kVector, int kSamples>
__global__ void __launch_bounds__(kThreads)
    mask_predictor_kernel(FeatureMaker maker, PredictorHead p, ActiveOutput gate) {
  Product<kVector, kSamples> product;
  constexpr int kPoolRoom = kThreads * kPoolVector;
  FTWT_SHARED(float, room, [product.kRoom > kPoolRoom ? product.kRoom : kPoolRoom]);
  const int64_t first_column = static_cast<int64_t>(blockIdx.x) % p.column_tiles * kTileColumns;
  const int64_t first_sample = static_cast<int64_t>(blockIdx.x) / p.column_tiles * kSamples;
  const auto samples = static_cast<int>(min(static_cast<int64_t>(kSamples), p.n - first_sample));
  const float* features = p.features;
  if (features != nullptr) features += first_sample * p.c_in;
  if constexpr (kSamples == 1) {
    if (features == nullptr) {
      FTWT_SHARED(float, warp_room, [kPoolWarps]);
      auto* own = dynamic_shared<float>();
      maker.make<Pool, kPoolVector>(first_sample, room, warp_room, own);
      features = own;
    }
  }
  product.add(p, features, samples, first_column);
  product.write(p, first_sample, samples, first_column, room);
  if (gate.lists == nullptr) return;
  FTWT_SHARED(int, counts, [kListWarps]);
  __syncthreads();  // the logits are there
  for (int64_t sample = first_sample; sample < first_sample + samples; ++sample) {
    list_gate(gate, sample, p.mask_logits + sample * p.c_out, static_cast<int>(p.c_out), counts);
  }
}

template <class Pool, int kPoolVector>
void launch_product(const FeatureMaker& maker, const PredictorHead& p, const ActiveOutput& gate, int samples) {
  const bool vectors = p.c_out % 4 == 0 && aligned_to_vector(p.weights);
  auto* kernel =
      vectors ? mask_predictor_kernel<Pool, kPoolVector, 4, 1> : mask_predictor_kernel<Pool, kPoolVector, 1, 1>;
  if (samples > 1) {
    kernel = vectors ? mask_predictor_kernel<Pool, kPoolVector, 4, kSamplesOfBlock>
                     : mask_predictor_kernel<Pool, kPoolVector, 1, kSamplesOfBlock>;
  }
  const auto shared = static_cast<std::size_t>(p.features == nullptr ? p.c_in : 0) * sizeof(float);
  const int64_t groups = (p.n + samples - 1) / samples;
  launch(kernel, static_cast<unsigned>(groups * p.column_tiles), kThreads, shared, current_stream(), maker, p, gate);
}

// Steps 2 to 4. features: [n, c_in], or nullptr where nobody wants them.
template <class Pool>
void run_head(const FeatureMaker& maker, PredictorHead p, float* features, const ActiveOutput& gate) {
  // Blocks of four samples where they fill half of the device.
  const bool many = p.n * p.column_tiles >= kSamplesOfBlock * current_limits().multiprocessors / 2;
  std::optional<DeviceBuffer> made;
  if (features == nullptr && (many || p.c_in > kOwnFeatures)) {
    made.emplace(static_cast<std::size_t>(p.n * p.c_in) * sizeof(float));
    features = made->as<float>();
  }
  const bool vectors = maker.tiling.vector == 4;
  if (features != nullptr) {
    const auto kernel = vectors ? features_kernel<Pool, 4> : features_kernel<Pool, 1>;
    launch(kernel, static_cast<unsigned>(p.n), kThreads, 0, current_stream(), maker, features);
  }
  p.features = features;
  const bool lists_apart = gate.lists != nullptr && p.column_tiles > 1;
  const auto product = vectors ? launch_product<Pool, 4> : launch_product<Pool, 1>;
  product(maker, p, lists_apart ? ActiveOutput{} : gate, many ? kSamplesOfBlock : 1);
  if (!lists_apart) return;
  launch(list_gate_kernel, static_cast<unsigned>(p.n), kThreads, 0, current_stream(), gate, p.mask_logits,
         static_cast<int>(p.c_out));
}

struct Predictor {
  PredictorHead head;
  float* features;
  ActiveOutput gate;
  bool average, softmax;
};

template <class Pool>
void run_predictor(const PooledPixels& x, const Predictor& p) {
  const auto run = [&](const PooledPixels& pixels) {
    const PoolTiling tiling = pooled_tiling(pixels, aligned_to_vector(p.features), kThreads);
    run_head<Pool>({pixels, tiling, p.average ? static_cast<float>(x.pixels) : 1.0f, p.softmax}, p.head, p.features,
                   p.gate);
  };
  if (x.pixels * x.c <= kDirectFloats) return run(x);
  const int rows = kPoolThreads / pooled_tiling(x, true).lanes;
  const int64_t share = std::max(rows * kSplitRounds, (x.pixels + kMaxSplits - 1) / kMaxSplits);
  const int64_t splits = (x.pixels + share - 1) / share;
  const DeviceBuffer parts(static_cast<std::size_t>(p.head.n * splits * x.c) * sizeof(float));
  launch_pool_channels<Pool>(x, parts.as<float>(), p.head.n, share, 1.0f, current_stream());
  run(all_channels(parts.as<float>(), splits, x.c));
}

void run_predictor(const PooledPixels& x, const Predictor& p) {
  p.average ? run_predictor<SumPool>(x, p) : run_predictor<MaxPool>(x, p);
}

int column_tiles(int64_t c_out) { return static_cast<int>((c_out + kTileColumns - 1) / kTileColumns); }

}  // namespace

void mask_predictor(const MaskPredictorParams& p) {
  if (p.n == 0) return;
  const PredictorHead head = {p.weights, p.bias, p.mask_logits, nullptr, p.n, p.c_in, p.c_out, column_tiles(p.c_out)};
  run_predictor(all_channels(p.x, p.pixels, p.c_in), {head, p.features, {}, p.average, p.softmax});
}

void predict_gate(const GatePredictor& p) {
  const int64_t c_in = p.x.active.c;
  const DeviceBuffer logits(static_cast<std::size_t>(p.n * p.c_out) * sizeof(float));
  const PredictorHead head = {p.weights, p.bias,  logits.as<float>(),   nullptr, p.n,
                              c_in,      p.c_out, column_tiles(p.c_out)};
  run_predictor(pooled_pixels(p.x, p.pixels), {head, nullptr, p.y, p.average, p.softmax});
}

}  // namespace ftwt::cuda
