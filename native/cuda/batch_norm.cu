// Batch normalisation: forward, statistics, gradient.
//
// x is a matrix [rows, c]. Where 4 does not divide c, 4 or 2 rows are read as one, so that every vector of 4 floats is
// whole and belongs to the same channels in every joined row; what is left at the end is one shorter row. (Arrays that
// are not aligned are read a float at a time.) A thread keeps its columns and walks down the rows, 4 of them at a time,
// their loads before their first use; the channel's constants stay in registers. Blocks: up to 64 vectors wide, tall
// where c is small: [rows, 3] is read by 3 x 85 threads, every warp 512 contiguous bytes.
//
// Column sums (statistics; sums of dz and dz (x - mean)): two stages, deterministic. Every thread adds in double: over
// its rows, then over the block in shared memory; a second kernel adds the blocks' sums in a fixed order and finishes
// the channel. Statistics are sums of s = x - x[0] and of s^2: the shift removes a large mean, and what cancellation is
// left costs a part in 2^53, so the variance is good to float even where the deviation is a thousandth of the mean or
// x[0] is an outlier. Three double operations per element are a fifth of what an H100 can do while memory delivers it;
// they are the limit on devices with few double units.
//
// Bytes: forward x + y; statistics x; gradient twice x and dy, and dx; sums of the blocks: 528 blocks * 4 KB.
// [256, 32, 32, 64]: forward 134 MB, 40 us at 3.35 TB/s; statistics 67 MB, 20 us; gradient 336 MB, 100 us.
//
// Hazards: rows may be 0 in the gradient, whose sums are then 0; the activation's mask is computed again from x, with
// the same operations as in the forward pass.
#include "ops/batch_norm.h"

#include "cuda/activate.cuh"
#include "cuda/channels.cuh"
#include "cuda/column_blocks.cuh"
#include "cuda/context.h"
#include "cuda/device.cuh"

namespace ftwt::cuda {
namespace {

constexpr int kMaxWidth = 64;  // vectors
constexpr int kUnroll = 4;     // rows whose loads a thread has in flight
// Streams: several waves, for an even end. Sums: one wave, because every block leaves sums to be added.
constexpr int kStreamBlocksPerMultiprocessor = 16;
constexpr int kSumBlocksPerMultiprocessor = 4;

// [rows, c] in rows of cols = c or a small multiple of it.
struct Joined {
  int64_t cols;
  int64_t whole, total;  // elements in whole rows, and all
  int c;

  Joined(int64_t rows, int64_t c_, int vector) : cols(c_), total(rows * c_), c(static_cast<int>(c_)) {
    while (cols % vector != 0) cols += c_;
    whole = total / cols * cols;
  }
};

// ---- What a thread does with its columns
// -----------------------------------------------------------------------------

// Calls use(offset, count, load(offset, count)) for the vector at `column` of the rows of this thread; count is V, but
// in the short last row it may be less.
template <int V, typename Load, typename Use>
__device__ __forceinline__ void for_rows(const Joined& m, int64_t column, const Load& load, const Use& use) {
  const int64_t step = static_cast<int64_t>(gridDim.y) * blockDim.y * m.cols;
  int64_t at = (static_cast<int64_t>(blockIdx.y) * blockDim.y + threadIdx.y) * m.cols + column;
  for (; at + (kUnroll - 1) * step < m.whole; at += kUnroll * step) {
    decltype(load(at, V)) loaded[kUnroll];
#pragma unroll
    for (int u = 0; u < kUnroll; ++u) loaded[u] = load(at + u * step, V);
#pragma unroll
    for (int u = 0; u < kUnroll; ++u) use(at + u * step, V, loaded[u]);
  }
  for (; at < m.whole; at += step) use(at, V, load(at, V));
  if (at < m.total) {
    const int count = m.total - at < V ? static_cast<int>(m.total - at) : V;
    use(at, count, load(at, count));
  }
}

template <int V>
__device__ __forceinline__ Channels<V> load_first(const float* from, int count) {
  if (count == V) return load_channels<V>(from);
  Channels<V> v;
#pragma unroll
  for (int i = 0; i < V; ++i) v.at[i] = i < count ? from[i] : 0.0f;
  return v;
}

template <int V>
__device__ __forceinline__ void store_first(float* to, int count, const Channels<V>& v) {
  if (count == V) return store_channels(to, v);
#pragma unroll
  for (int i = 0; i < V; ++i) {
    if (i < count) to[i] = v.at[i];
  }
}

template <int V>
__device__ __forceinline__ int64_t first_column() {
  return (static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x) * V;
}

// One constant per channel, or `otherwise` without an array.
template <int V>
__device__ __forceinline__ Channels<V> constants(const float* array, const Joined& m, int64_t column, float otherwise) {
  Channels<V> v;
#pragma unroll
  for (int i = 0; i < V; ++i) {
    v.at[i] = array == nullptr ? otherwise : array[static_cast<uint32_t>(column + i) % static_cast<uint32_t>(m.c)];
  }
  return v;
}

// z = (x - mean) scale + offset
template <int V>
struct Affine {
  Channels<V> mean, scale, offset;

  template <typename Params>
  __device__ __forceinline__ Affine(const Params& p, const Joined& m, int64_t column)
      : mean(constants<V>(p.mean, m, column, 0.0f)),
        scale(constants<V>(p.gamma, m, column, 1.0f)),
        offset(constants<V>(p.beta, m, column, 0.0f)) {
    const Channels<V> variance = constants<V>(p.variance, m, column, 0.0f);
#pragma unroll
    for (int i = 0; i < V; ++i) scale.at[i] /= sqrtf(variance.at[i] + p.epsilon);
  }

  __device__ __forceinline__ float apply(int i, float centred) const {
    return fmaf(centred, scale.at[i], offset.at[i]);
  }
};

template <int V>
struct Pair {
  Channels<V> x, dy;
};

template <int V>
__device__ __forceinline__ Pair<V> load_pair(const BatchNormGradParams& p, int64_t at, int count) {
  return {load_first<V>(p.x + at, count), load_first<V>(p.dy + at, count)};
}

// ---- Kernels --------------------------------------------------------------------------------------------------------

template <int V>
__global__ void __launch_bounds__(kColumnThreads) batch_norm_kernel(BatchNormParams p, Joined m) {
  const int64_t column = first_column<V>();
  if (column >= m.cols) return;
  const Affine<V> affine(p, m, column);
  for_rows<V>(
      m, column, [&](int64_t at, int count) { return load_first<V>(p.x + at, count); },
      [&](int64_t at, int count, Channels<V> x) {
#pragma unroll
        for (int i = 0; i < V; ++i) x.at[i] = activate(affine.apply(i, x.at[i] - affine.mean.at[i]), p.activation);
        store_first(p.y + at, count, x);
      });
}

// Writes the block's sums to partials [gridDim.y, 2, cols]; sums: V of the first kind, V of the second.
template <int V>
__device__ __forceinline__ void write_sums(double* tile, double* sums, const Joined& m, int64_t column,
                                           double* partials) {
  sum_over_rows<2 * V>(tile, sums);
  if (threadIdx.y > 0 || column >= m.cols) return;
  double* to = partials + blockIdx.y * 2 * m.cols + column;
#pragma unroll
  for (int i = 0; i < V; ++i) {
    to[i] = sums[i];
    to[m.cols + i] = sums[V + i];
  }
}

template <int V>
__global__ void __launch_bounds__(kColumnThreads, kSumBlocksPerMultiprocessor)
    batch_sums_kernel(const float* x, Joined m, double* partials) {
  FTWT_SHARED(double, tile, [2 * V * kColumnThreads]);
  const int64_t column = first_column<V>();
  double sums[2 * V] = {};
  if (column < m.cols) {
    const Channels<V> shift = constants<V>(x, m, column, 0.0f);
    for_rows<V>(
        m, column, [&](int64_t at, int count) { return load_first<V>(x + at, count); },
        [&](int64_t, int count, const Channels<V>& v) {
#pragma unroll
          for (int i = 0; i < V; ++i) {
            if (i >= count) continue;
            const double shifted = v.at[i] - shift.at[i];
            sums[i] += shifted;
            sums[V + i] = fma(shifted, shifted, sums[V + i]);
          }
        });
  }
  write_sums<V>(tile, sums, m, column, partials);
}

// Sums of dz and dz (x - mean), where dz is dy behind the activation.
template <int V>
__global__ void __launch_bounds__(kColumnThreads, 2)
    batch_norm_grad_sums_kernel(BatchNormGradParams p, Joined m, double* partials) {
  FTWT_SHARED(double, tile, [2 * V * kColumnThreads]);
  const int64_t column = first_column<V>();
  double sums[2 * V] = {};
  if (column < m.cols) {
    const Affine<V> affine(p, m, column);
    for_rows<V>(
        m, column, [&](int64_t at, int count) { return load_pair<V>(p, at, count); },
        [&](int64_t, int count, const Pair<V>& v) {
#pragma unroll
          for (int i = 0; i < V; ++i) {
            if (i >= count) continue;
            const float centred = v.x.at[i] - affine.mean.at[i];
            const float dz = passes(affine.apply(i, centred), p.activation) ? v.dy.at[i] : 0.0f;
            sums[i] += dz;
            sums[V + i] += dz * centred;
          }
        });
  }
  write_sums<V>(tile, sums, m, column, partials);
}

// A channel's two sums over the blocks and over the columns that it has in a joined row; row 0 of the block gets them.
__device__ __forceinline__ void total_sums(double* tile, const double* partials, int64_t parts, const Joined& m,
                                           int64_t channel, double sums[2]) {
  sums[0] = sums[1] = 0;
  if (channel < m.c) {
    for (int64_t column = channel; column < m.cols; column += m.c) {
      sums[0] += partial_total(partials + column, parts, 2 * m.cols);
      sums[1] += partial_total(partials + m.cols + column, parts, 2 * m.cols);
    }
  }
  sum_over_rows<2>(tile, sums);
}

__global__ void __launch_bounds__(kColumnThreads)
    batch_statistics_kernel(BatchStatisticsParams p, Joined m, const double* partials, int64_t parts) {
  FTWT_SHARED(double, tile, [2 * kColumnThreads]);
  const int64_t channel = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
  double sums[2];
  total_sums(tile, partials, parts, m, channel, sums);
  if (threadIdx.y > 0 || channel >= p.c) return;
  const double rows = static_cast<double>(p.rows);
  const double mean = sums[0] / rows;
  const double variance = sums[1] / rows - mean * mean;
  p.mean[channel] = static_cast<float>(static_cast<double>(p.x[channel]) + mean);
  p.variance[channel] = static_cast<float>(variance < 0 ? 0 : variance);
}

// The gradients of the channel's parameters, and what dx needs: coefficients [2, c], a slope and a bias.
__global__ void __launch_bounds__(kColumnThreads)
    batch_norm_grad_channel_kernel(BatchNormGradParams p, Joined m, const double* partials, int64_t parts,
                                   float* coefficients) {
  FTWT_SHARED(double, tile, [2 * kColumnThreads]);
  const int64_t channel = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
  double sums[2];
  total_sums(tile, partials, parts, m, channel, sums);
  if (threadIdx.y > 0 || channel >= p.c) return;
  const double inverse = 1 / sqrt(static_cast<double>(p.variance[channel]) + static_cast<double>(p.epsilon));
  const double scale = (p.gamma != nullptr ? static_cast<double>(p.gamma[channel]) : 1.0) * inverse;
  p.d_beta[channel] = static_cast<float>(sums[0]);
  p.d_gamma[channel] = static_cast<float>(sums[1] * inverse);
  if (p.d_mean != nullptr) p.d_mean[channel] = static_cast<float>(-scale * sums[0]);
  if (p.d_variance != nullptr) {
    p.d_variance[channel] = static_cast<float>(-0.5 * scale * inverse * inverse * sums[1]);
  }
  // With batch statistics dx = scale (dz - mean(dz) - xhat mean(dz xhat)); with given ones only scale dz.
  const double per_row = p.training ? 1 / static_cast<double>(p.rows) : 0;
  coefficients[channel] = static_cast<float>(-scale * inverse * inverse * sums[1] * per_row);
  coefficients[p.c + channel] = static_cast<float>(-scale * sums[0] * per_row);
}

// dx = dz scale + (x - mean) slope + bias
template <int V>
__global__ void __launch_bounds__(kColumnThreads, 2)
    batch_norm_grad_kernel(BatchNormGradParams p, Joined m, const float* coefficients) {
  const int64_t column = first_column<V>();
  if (column >= m.cols) return;
  const Affine<V> affine(p, m, column);
  const Channels<V> slope = constants<V>(coefficients, m, column, 0.0f);
  const Channels<V> bias = constants<V>(coefficients + m.c, m, column, 0.0f);
  for_rows<V>(
      m, column, [&](int64_t at, int count) { return load_pair<V>(p, at, count); },
      [&](int64_t at, int count, const Pair<V>& v) {
        Channels<V> dx;
#pragma unroll
        for (int i = 0; i < V; ++i) {
          const float centred = v.x.at[i] - affine.mean.at[i];
          const float dz = passes(affine.apply(i, centred), p.activation) ? v.dy.at[i] : 0.0f;
          dx.at[i] = fmaf(dz, affine.scale.at[i], fmaf(centred, slope.at[i], bias.at[i]));
        }
        store_first(p.dx + at, count, dx);
      });
}

// ---- Launchers ------------------------------------------------------------------------------------------------------

struct Shape {
  dim3 grid, block;
};

Shape shape_for(const Joined& m, int vector, int blocks_per_multiprocessor) {
  const ColumnBlocks blocks(m.cols / vector, kMaxWidth);
  const int64_t device_blocks = int64_t{blocks_per_multiprocessor} * current_limits().multiprocessors;
  const int64_t rows = (m.total + m.cols - 1) / m.cols;
  const int64_t parts = row_blocks(device_blocks, blocks.tiles, rows, int64_t{kUnroll} * blocks.height);
  return {dim3(static_cast<unsigned>(blocks.tiles), static_cast<unsigned>(parts)), blocks.block()};
}

template <int V>
void launch_batch_norm(const BatchNormParams& p) {
  const Joined m(p.rows, p.c, V);
  const Shape shape = shape_for(m, V, kStreamBlocksPerMultiprocessor);
  launch(batch_norm_kernel<V>, shape.grid, shape.block, 0, current_stream(), p, m);
}

DeviceBuffer partial_sums(const Shape& shape, const Joined& m) {
  return DeviceBuffer(static_cast<std::size_t>(shape.grid.y * 2 * m.cols) * sizeof(double));
}

template <int V>
void launch_batch_statistics(const BatchStatisticsParams& p) {
  const Joined m(p.rows, p.c, V);
  const Shape shape = shape_for(m, V, kSumBlocksPerMultiprocessor);
  const DeviceBuffer partials = partial_sums(shape, m);
  launch(batch_sums_kernel<V>, shape.grid, shape.block, 0, current_stream(), p.x, m, partials.as<double>());
  launch(batch_statistics_kernel, dim3(total_grid(p.c)), total_block(), 0, current_stream(), p, m,
         partials.as<double>(), int64_t{shape.grid.y});
}

template <int V>
void launch_batch_norm_grad(const BatchNormGradParams& p) {
  const Joined m(p.rows, p.c, V);
  const Shape sums = shape_for(m, V, kSumBlocksPerMultiprocessor);
  const DeviceBuffer partials = partial_sums(sums, m);
  const DeviceBuffer coefficients(static_cast<std::size_t>(2 * p.c) * sizeof(float));
  launch(batch_norm_grad_sums_kernel<V>, sums.grid, sums.block, 0, current_stream(), p, m, partials.as<double>());
  launch(batch_norm_grad_channel_kernel, dim3(total_grid(p.c)), total_block(), 0, current_stream(), p, m,
         partials.as<double>(), int64_t{sums.grid.y}, coefficients.as<float>());
  if (p.rows == 0) return;
  const Shape shape = shape_for(m, V, kStreamBlocksPerMultiprocessor);
  launch(batch_norm_grad_kernel<V>, shape.grid, shape.block, 0, current_stream(), p, m, coefficients.as<float>());
}

}  // namespace

void batch_norm(const BatchNormParams& p) {
  if (p.rows == 0) return;
  (aligned_for_vectors({p.x, p.y}) ? launch_batch_norm<4> : launch_batch_norm<1>)(p);
}

void batch_statistics(const BatchStatisticsParams& p) {
  (aligned_for_vectors({p.x}) ? launch_batch_statistics<4> : launch_batch_statistics<1>)(p);
}

void batch_norm_grad(const BatchNormGradParams& p) {
  (aligned_for_vectors({p.x, p.dy, p.dx}) ? launch_batch_norm_grad<4> : launch_batch_norm_grad<1>)(p);
}

}  // namespace ftwt::cuda
