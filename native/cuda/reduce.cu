// Reductions: 4 bytes per element read, next to nothing written; limit: memory, 840 G elements/s at H100 rates.
//
// reduce: x [outer, reduce, inner]. A block owns a tile of up to 32 columns of one outer index and a chunk of the
// reduced dimension: its 256 threads are [rows, columns], so that neighbours read neighbours whatever `inner` is; the
// rows are combined in shared memory. With too few tiles to fill the GPU the reduced dimension is cut into chunks,
// whose results a second kernel combines in order: the result does not depend on timing. Sums are carried in double
// (one addition per 4 bytes loaded: memory stays the limit even where double runs at 1/64 of the rate). Short
// reductions (up to kShort) take a thread per result.
#include "ops/reduce.h"

#include <algorithm>

#include "cuda/context.h"
#include "cuda/device.cuh"

namespace ftwt::cuda {
namespace {

constexpr int kThreads = 256;
constexpr int kMaxColumns = 32;
constexpr int64_t kShort = 16;
// Rows that one thread should at least combine before another chunk pays.
constexpr int64_t kRowsPerThread = 8;
constexpr int64_t kMaxChunks = 1024;
constexpr int kWarpsPerBlock = 4;

// NaN wins and stays, as on the CPU.
template <ReduceOp op>
__device__ double combine(double a, double b) {
  if constexpr (op == ReduceOp::Sum) return a + b;
  if constexpr (op == ReduceOp::Max) return (b > a) | (b != b) ? b : a;
  return (b < a) | (b != b) ? b : a;
}

template <ReduceOp op>
__device__ double identity() {
  if constexpr (op == ReduceOp::Sum) return 0.0;
  return op == ReduceOp::Max ? -static_cast<double>(INFINITY) : static_cast<double>(INFINITY);
}

template <ReduceOp op>
__global__ void __launch_bounds__(kThreads) reduce_short_kernel(ReduceParams p) {
  const int64_t i = static_cast<int64_t>(blockIdx.x) * kThreads + threadIdx.x;
  if (i >= p.outer * p.inner) return;
  const float* x = p.x + i / p.inner * p.reduce * p.inner + i % p.inner;
  double total = identity<op>();
  for (int64_t r = 0; r < p.reduce; ++r) total = combine<op>(total, x[r * p.inner]);
  p.y[i] = static_cast<float>(total * p.scale);
}

// Grid: x = outer * column tiles, y = chunks. With `partial` [chunks, outer, inner] the results go there, unscaled.
template <ReduceOp op>
__global__ void __launch_bounds__(kThreads)
    reduce_tile_kernel(ReduceParams p, int columns, int64_t tiles, int64_t chunk, double* partial) {
  FTWT_SHARED(double, totals, [kThreads]);
  const int rows = kThreads / columns;
  const int column = static_cast<int>(threadIdx.x) % columns;
  const int row = static_cast<int>(threadIdx.x) / columns;
  const int64_t outer = blockIdx.x / tiles;
  const int64_t c = (blockIdx.x - outer * tiles) * columns + column;
  const int64_t begin = blockIdx.y * chunk;
  const int64_t end = min(begin + chunk, p.reduce);
  double total = identity<op>();
  if (c < p.inner) {
    const float* x = p.x + outer * p.reduce * p.inner + c;
#pragma unroll 4
    for (int64_t r = begin + row; r < end; r += rows) total = combine<op>(total, x[r * p.inner]);
  }
  totals[threadIdx.x] = total;
  __syncthreads();
  for (int half = kThreads / 2; half >= columns; half /= 2) {
    if (static_cast<int>(threadIdx.x) < half) {
      totals[threadIdx.x] = combine<op>(totals[threadIdx.x], totals[threadIdx.x + half]);
    }
    __syncthreads();
  }
  if (row != 0 || c >= p.inner) return;
  const int64_t at = outer * p.inner + c;
  if (partial != nullptr) {
    partial[blockIdx.y * p.outer * p.inner + at] = totals[column];
  } else {
    p.y[at] = static_cast<float>(totals[column] * p.scale);
  }
}

template <ReduceOp op>
__global__ void __launch_bounds__(kThreads) reduce_chunks_kernel(ReduceParams p, const double* partial, int chunks) {
  const int64_t count = p.outer * p.inner;
  const int64_t i = static_cast<int64_t>(blockIdx.x) * kThreads + threadIdx.x;
  if (i >= count) return;
  double total = partial[i];
  for (int k = 1; k < chunks; ++k) total = combine<op>(total, partial[k * count + i]);
  p.y[i] = static_cast<float>(total * p.scale);
}

unsigned blocks_for(int64_t count, int per_block) { return static_cast<unsigned>((count + per_block - 1) / per_block); }

template <ReduceOp op>
void run(const ReduceParams& p) {
  const int64_t results = p.outer * p.inner;
  const cudaStream_t stream = current_stream();
  if (p.reduce <= kShort) {
    launch(reduce_short_kernel<op>, dim3(blocks_for(results, kThreads)), dim3(kThreads), 0, stream, p);
    return;
  }
  int columns = 1;
  while (columns < kMaxColumns && columns < p.inner) columns *= 2;
  const int64_t tiles = (p.inner + columns - 1) / columns;
  const int rows = kThreads / columns;
  const int64_t wanted = 4 * static_cast<int64_t>(current_limits().multiprocessors);
  const int64_t useful = std::max<int64_t>(1, p.reduce / (rows * kRowsPerThread));
  int64_t chunks = std::min({std::max<int64_t>(1, wanted / (p.outer * tiles)), useful, kMaxChunks});
  const int64_t chunk = (p.reduce + chunks - 1) / chunks;
  chunks = (p.reduce + chunk - 1) / chunk;
  const dim3 grid(static_cast<unsigned>(p.outer * tiles), static_cast<unsigned>(chunks));
  if (chunks == 1) {
    launch(reduce_tile_kernel<op>, grid, dim3(kThreads), 0, stream, p, columns, tiles, chunk,
           static_cast<double*>(nullptr));
    return;
  }
  const DeviceBuffer partial(static_cast<std::size_t>(chunks * results) * sizeof(double));
  launch(reduce_tile_kernel<op>, grid, dim3(kThreads), 0, stream, p, columns, tiles, chunk, partial.as<double>());
  launch(reduce_chunks_kernel<op>, dim3(blocks_for(results, kThreads)), dim3(kThreads), 0, stream, p,
         static_cast<const double*>(partial.as<double>()), static_cast<int>(chunks));
}

// A candidate of argMax: the larger value wins, the lower index among equals.
struct Candidate {
  float value;
  int32_t index;
  __device__ void consider(float other, int32_t at) {
    if (other > value || (other == value && at < index)) {
      value = other;
      index = at;
    }
  }
};

// A warp per result. NaN is never above anything; only in front, where the search starts, it stays.
__global__ void __launch_bounds__(32 * kWarpsPerBlock) arg_max_kernel(ArgMaxParams p) {
  const int lane = static_cast<int>(threadIdx.x) % 32;
  const int64_t i = static_cast<int64_t>(blockIdx.x) * kWarpsPerBlock + threadIdx.x / 32;
  if (i >= p.outer * p.inner) return;
  const float* x = p.x + i / p.inner * p.reduce * p.inner + i % p.inner;
  const float first = x[0];
  Candidate best = {-INFINITY, INT32_MAX};
  for (int64_t r = lane; r < p.reduce; r += 32) best.consider(x[r * p.inner], static_cast<int32_t>(r));
  for (int distance = 16; distance > 0; distance /= 2) {
    const float value = __shfl_xor_sync(0xffffffffu, best.value, distance);
    const int32_t index = __shfl_xor_sync(0xffffffffu, best.index, distance);
    best.consider(value, index);
  }
  // Nothing but NaN leaves no index.
  if (lane == 0) p.y[i] = first != first || best.index == INT32_MAX ? 0 : best.index;
}

__device__ float warp_max(float v) {  // NaN wins
  for (int distance = 16; distance > 0; distance /= 2) {
    const float other = __shfl_xor_sync(0xffffffffu, v, distance);
    v = (other > v) | (other != other) ? other : v;
  }
  return v;
}

__device__ float warp_sum(float v) {
  for (int distance = 16; distance > 0; distance /= 2) v += __shfl_xor_sync(0xffffffffu, v, distance);
  return v;
}

// A warp per row; y is written twice, the second time from the L1 cache.
__global__ void __launch_bounds__(32 * kWarpsPerBlock) softmax_kernel(SoftmaxParams p) {
  const int lane = static_cast<int>(threadIdx.x) % 32;
  const int64_t row = static_cast<int64_t>(blockIdx.x) * kWarpsPerBlock + threadIdx.x / 32;
  if (row >= p.rows) return;
  const float* x = p.x + row * p.cols;
  float* y = p.y + row * p.cols;
  float top = -INFINITY;
  for (int64_t c = lane; c < p.cols; c += 32) top = (x[c] > top) | (x[c] != x[c]) ? x[c] : top;
  top = warp_max(top);
  float sum = 0.0f;
  for (int64_t c = lane; c < p.cols; c += 32) {
    const float e = expf(x[c] - top);
    y[c] = e;
    sum += e;
  }
  const float scale = 1.0f / warp_sum(sum);
  for (int64_t c = lane; c < p.cols; c += 32) y[c] *= scale;
}

}  // namespace

void reduce(const ReduceParams& p) {
  if (p.outer * p.inner == 0) return;
  switch (p.op) {
    case ReduceOp::Sum: return run<ReduceOp::Sum>(p);
    case ReduceOp::Max: return run<ReduceOp::Max>(p);
    default: return run<ReduceOp::Min>(p);
  }
}

void arg_max(const ArgMaxParams& p) {
  if (p.outer * p.inner == 0) return;
  launch(arg_max_kernel, dim3(blocks_for(p.outer * p.inner, kWarpsPerBlock)), dim3(32 * kWarpsPerBlock), 0,
         current_stream(), p);
}

void softmax(const SoftmaxParams& p) {
  if (p.rows * p.cols == 0) return;
  launch(softmax_kernel, dim3(blocks_for(p.rows, kWarpsPerBlock)), dim3(32 * kWarpsPerBlock), 0, current_stream(), p);
}

}  // namespace ftwt::cuda
