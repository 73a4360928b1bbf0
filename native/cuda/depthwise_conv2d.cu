// Depthwise convolution, forward with bias and activation, and its two gradients.
//
// Outputs (y, and dx where the stride is 1, which is the same sum with the filter turned round): a thread computes a
// vector of 4 channels (1 where c % 4 != 0 or an array is not aligned) for a tile of output pixels, 4 rows of 2 with a
// 3 x 3 filter: each row of source columns is loaded once and meets every output row whose window it is in. Blocks are
// 8 vectors wide, one line of 128 bytes per pixel, so their 32 tiles lie next to each other and share the halo in L1.
// That is for 3 x 3 and 5 x 5 filters with stride 1 or 2, no dilation, no multiplier; everything else takes one thread
// per output vector, which loops over taps. So does dx with a stride; taps that fall between the strides are skipped.
// Taps in the padding are skipped, not multiplied by 0: a filter may hold infinities.
//
// Filter gradient, two stages, deterministic: a thread walks down a strip of 4 columns x 8 rows of dy and keeps the
// sums of its taps in registers; they are added over the block in shared memory, over the blocks by a second kernel.
//
// Bytes: x + y; dy + dx; x + dy + partial sums (a thousandth). L2 gives x 1.5 times over because of the halo between
// tiles' rows, L1 6 vectors per output with 3 x 3 filters (24 of the 68 cycles that memory takes for a warp's vector).
// 9 MACs for 8 bytes: at 3.35 TB/s that is 8 TFLOP/s of 67, so memory is the limit. [64, 56, 56, 128]: 206 MB, 61 us
// each.
//
// Hazards: registers (9 sums of 4 channels in the filter gradient), 32-bit index arithmetic (pixel_grid.cuh). Filters
// other than 3 x 3 read dy once per group of taps in the filter gradient.
#include "ops/depthwise_conv2d.h"

#include "cuda/activate.cuh"
#include "cuda/channels.cuh"
#include "cuda/context.h"
#include "cuda/device.cuh"
#include "cuda/pixel_grid.cuh"

namespace ftwt::cuda {
namespace {

constexpr int kMaxWidth = 8;  // vectors
// Output pixels of a thread, as many as its registers hold.
template <int K>
constexpr int kRowsPerTile = K == 3 ? 4 : 3;
constexpr int kTileColumns = 2;
// Of dy in the filter gradient.
constexpr int kStripRows = 8;
constexpr int kStripColumns = 4;
constexpr int kBlocksPerMultiprocessor = 4;

// ---- Tiles ----------------------------------------------------------------------------------------------------------

struct DepthwiseSum {
  const float* source;  // [n, source_h, source_w, c]
  const float* filter;  // the tap that the first row and column of a window meet
  const float* bias;    // [c], or nullptr
  float* output;        // [n, output_h, output_w, c]
  int64_t tap_step;     // from that tap to the next: c, or -c
  int64_t c;
  int source_h, source_w, output_h, output_w;
  int pad_top, pad_left;
  Activation activation;
};

template <int V, int K, int S>
__global__ void __launch_bounds__(kColumnThreads, 2) depthwise_tile_kernel(PixelGrid grid, DepthwiseSum sum) {
  constexpr int kTileRows = kRowsPerTile<K>;
  constexpr int kRows = (kTileRows - 1) * S + K;
  constexpr int kColumns = (kTileColumns - 1) * S + K;
  Place at;
  if (!grid.find<V>(at)) return;
  const int top = at.row * (kTileRows * S) - sum.pad_top, left = at.column * (kTileColumns * S) - sum.pad_left;
  const float* filter = sum.filter + at.channel;

  Channels<V> acc[kTileRows][kTileColumns];
  const Channels<V> bias = sum.bias == nullptr ? splat<V>(0.0f) : load_channels<V>(sum.bias + at.channel);
#pragma unroll
  for (int r = 0; r < kTileRows; ++r) {
#pragma unroll
    for (int t = 0; t < kTileColumns; ++t) acc[r][t] = bias;
  }

#pragma unroll
  for (int i = 0; i < kRows; ++i) {
    const int h = top + i;
    if (h < 0 || h >= sum.source_h) continue;
    const float* row = sum.source + (at.image * sum.source_h + h) * sum.source_w * sum.c + at.channel;
    Channels<V> x[kColumns];
#pragma unroll
    for (int j = 0; j < kColumns; ++j) {
      const int w = left + j;
      x[j] = w >= 0 && w < sum.source_w ? load_channels<V>(row + w * sum.c) : splat<V>(0.0f);
    }
#pragma unroll
    for (int r = 0; r < kTileRows; ++r) {
      const int kh = i - r * S;
      if (kh < 0 || kh >= K) continue;
#pragma unroll
      for (int kw = 0; kw < K; ++kw) {
        const Channels<V> f = load_channels<V>(filter + (kh * K + kw) * sum.tap_step);
#pragma unroll
        for (int t = 0; t < kTileColumns; ++t) {
          const int w = left + t * S + kw;
          if (w >= 0 && w < sum.source_w) add_product(acc[r][t], x[t * S + kw], f);
        }
      }
    }
  }

#pragma unroll
  for (int r = 0; r < kTileRows; ++r) {
    const int h = at.row * kTileRows + r;
    if (h >= sum.output_h) break;
    float* row = sum.output + (at.image * sum.output_h + h) * sum.output_w * sum.c + at.channel;
#pragma unroll
    for (int t = 0; t < kTileColumns; ++t) {
      const int w = at.column * kTileColumns + t;
      if (w >= sum.output_w) continue;
#pragma unroll
      for (int i = 0; i < V; ++i) acc[r][t].at[i] = activate(acc[r][t].at[i], sum.activation);
      store_channels(row + w * sum.c, acc[r][t]);
    }
  }
}

template <int V, int K, int S>
void launch_tiles(const DepthwiseSum& sum, int64_t n) {
  const int64_t rows = (sum.output_h + kRowsPerTile<K> - 1) / kRowsPerTile<K>;
  const int64_t columns = (sum.output_w + kTileColumns - 1) / kTileColumns;
  for_pixel_grids(n, rows, columns, sum.c, V, kMaxWidth, [&](const PixelGrid& pixels, dim3 grid, dim3 block) {
    launch(depthwise_tile_kernel<V, K, S>, grid, block, 0, current_stream(), pixels, sum);
  });
}

// The filter size if it has tiles, else 0.
int64_t tiled_filter(const Conv2dShape& s) {
  const bool plain = s.c_out == s.c_in && s.kh == s.kw && s.stride_h == s.stride_w && s.dilation_h == 1 &&
                     s.dilation_w == 1 && s.stride_h <= 2;
  return plain && (s.kh == 3 || s.kh == 5) ? s.kh : 0;
}

template <int V>
void launch_tiles(const DepthwiseSum& sum, int64_t n, int64_t k, int64_t stride) {
  const auto launcher = k == 3 ? (stride == 1 ? launch_tiles<V, 3, 1> : launch_tiles<V, 3, 2>)
                               : (stride == 1 ? launch_tiles<V, 5, 1> : launch_tiles<V, 5, 2>);
  launcher(sum, n);
}

// ---- Any shape ------------------------------------------------------------------------------------------------------

// Conv2dShape in 32 bits, and what divides.
struct Shape {
  int h, w, c_in, kh, kw, c_out, out_h, out_w;
  int pad_top, pad_left, dilation_h, dilation_w;
  Divider stride_h, stride_w, multiplier;

  explicit Shape(const Conv2dShape& s)
      : h(static_cast<int>(s.h)),
        w(static_cast<int>(s.w)),
        c_in(static_cast<int>(s.c_in)),
        kh(static_cast<int>(s.kh)),
        kw(static_cast<int>(s.kw)),
        c_out(static_cast<int>(s.c_out)),
        out_h(static_cast<int>(s.out_h)),
        out_w(static_cast<int>(s.out_w)),
        pad_top(static_cast<int>(s.pad_top)),
        pad_left(static_cast<int>(s.pad_left)),
        dilation_h(static_cast<int>(s.dilation_h)),
        dilation_w(static_cast<int>(s.dilation_w)),
        stride_h(s.stride_h),
        stride_w(s.stride_w),
        multiplier(s.c_out / s.c_in) {}

  __device__ __forceinline__ int row_step() const { return static_cast<int>(stride_h.divisor()); }
  __device__ __forceinline__ int column_step() const { return static_cast<int>(stride_w.divisor()); }
  __device__ __forceinline__ int input_channel(int channel) const {
    return static_cast<int>(multiplier.quotient(static_cast<uint32_t>(channel)));
  }
};

template <int V>
__global__ void __launch_bounds__(kColumnThreads)
    depthwise_kernel(PixelGrid grid, Shape s, const float* x, const float* filter, const float* bias,
                     Activation activation, float* y) {
  Place at;
  if (!grid.find<V>(at)) return;
  const int top = at.row * s.row_step() - s.pad_top, left = at.column * s.column_step() - s.pad_left;
  Channels<V> acc = bias == nullptr ? splat<V>(0.0f) : load_channels<V>(bias + at.channel);
  for (int kh = 0; kh < s.kh; ++kh) {
    const int h = top + kh * s.dilation_h;
    if (h < 0 || h >= s.h) continue;
    const float* row = x + (at.image * s.h + h) * s.w * s.c_in + s.input_channel(at.channel);
    const float* taps = filter + static_cast<int64_t>(kh) * s.kw * s.c_out + at.channel;
#pragma unroll 4
    for (int kw = 0; kw < s.kw; ++kw) {
      const int w = left + kw * s.dilation_w;
      if (w < 0 || w >= s.w) continue;
      add_product(acc, load_channels<V>(row + static_cast<int64_t>(w) * s.c_in),
                  load_channels<V>(taps + static_cast<int64_t>(kw) * s.c_out));
    }
  }
#pragma unroll
  for (int i = 0; i < V; ++i) acc.at[i] = activate(acc.at[i], activation);
  store_channels(y + ((at.image * s.out_h + at.row) * s.out_w + at.column) * s.c_out + at.channel, acc);
}

// The output index that meets an input index at a tap `ahead` before it, or -1 (between two strides, or outside).
__device__ __forceinline__ int output_index(int ahead, const Divider& stride, int out) {
  if (ahead < 0) return -1;
  const uint32_t index = stride.quotient(static_cast<uint32_t>(ahead));
  const bool meets = index * stride.divisor() == static_cast<uint32_t>(ahead) && index < static_cast<uint32_t>(out);
  return meets ? static_cast<int>(index) : -1;
}

// V = 1 with a multiplier: a channel of dx sums over that many of dy.
template <int V>
__global__ void __launch_bounds__(kColumnThreads)
    depthwise_input_grad_kernel(PixelGrid grid, Shape s, const float* dy, const float* filter, float* dx) {
  Place at;
  if (!grid.find<V>(at)) return;
  const int multiplier = V == 1 ? static_cast<int>(s.multiplier.divisor()) : 1;
  const int channel = at.channel * multiplier;
  Channels<V> acc = splat<V>(0.0f);
  for (int kh = 0; kh < s.kh; ++kh) {
    const int h = output_index(at.row + s.pad_top - kh * s.dilation_h, s.stride_h, s.out_h);
    if (h < 0) continue;
    for (int kw = 0; kw < s.kw; ++kw) {
      const int w = output_index(at.column + s.pad_left - kw * s.dilation_w, s.stride_w, s.out_w);
      if (w < 0) continue;
      const float* from = dy + ((at.image * s.out_h + h) * s.out_w + w) * s.c_out + channel;
      const float* tap = filter + (static_cast<int64_t>(kh) * s.kw + kw) * s.c_out + channel;
      for (int m = 0; m < multiplier; ++m) add_product(acc, load_channels<V>(from + m), load_channels<V>(tap + m));
    }
  }
  store_channels(dx + ((at.image * s.h + at.row) * s.w + at.column) * s.c_in + at.channel, acc);
}

// ---- Filter gradient ------------------------------------------------------------------------------------------------

// Strips of dy, and the taps of each group of blocks: KH x KW of them, from row `group / column_groups` on.
struct Strips {
  uint32_t count;
  Divider columns, rows;  // strips across and down an image
  Divider tiles;          // of channels
  int tap_columns;        // groups of taps across
  float* partials;        // [gridDim.y, kh, kw, c_out]
};

// S = 0: any stride and dilation, one tap.
template <int V, int KH, int KW, int S>
__global__ void __launch_bounds__(kColumnThreads, 2)
    depthwise_filter_grad_kernel(Strips strips, Shape s, const float* x, const float* dy) {
  static_assert(S > 0 || KW == 1, "columns of x are shared by taps only at a fixed stride");
  constexpr int kColumns = S == 0 ? kStripColumns : (kStripColumns - 1) * S + KW;
  FTWT_SHARED(float, tile, [KW * V * kColumnThreads]);
  const int group = static_cast<int>(strips.tiles.quotient(blockIdx.x));
  const int channel_tile = static_cast<int>(blockIdx.x - group * strips.tiles.divisor());
  const int channel = static_cast<int>(channel_tile * blockDim.x + threadIdx.x) * V;
  const int kh = group / strips.tap_columns * KH, kw = group % strips.tap_columns * KW;
  const int x_step = S == 0 ? s.column_step() : 1;
  const int input_channel = S == 0 ? s.input_channel(channel) : channel;

  Channels<V> acc[KH][KW];
#pragma unroll
  for (int i = 0; i < KH * KW; ++i) acc[i / KW][i % KW] = splat<V>(0.0f);

  const uint32_t end = channel < s.c_out ? strips.count : 0;
  for (uint32_t strip = blockIdx.y * blockDim.y + threadIdx.y; strip < end; strip += gridDim.y * blockDim.y) {
    const uint32_t line = strips.columns.quotient(strip);
    const int64_t image = strips.rows.quotient(line);
    const int first_w = static_cast<int>(strip - line * strips.columns.divisor()) * kStripColumns;
    const int first_h = static_cast<int>(line - image * strips.rows.divisor()) * kStripRows;
    const int end_h = min(first_h + kStripRows, s.out_h);
    const int left = first_w * s.column_step() - s.pad_left + kw * s.dilation_w;
    for (int out_h = first_h; out_h < end_h; ++out_h) {
      const float* dy_row = dy + (image * s.out_h + out_h) * s.out_w * s.c_out + channel;
      Channels<V> d[kStripColumns];
#pragma unroll
      for (int t = 0; t < kStripColumns; ++t) {
        const int w = first_w + t;
        d[t] = w < s.out_w ? load_channels<V>(dy_row + static_cast<int64_t>(w) * s.c_out) : splat<V>(0.0f);
      }
#pragma unroll
      for (int i = 0; i < KH; ++i) {
        const int h = out_h * s.row_step() - s.pad_top + (kh + i) * s.dilation_h;
        if (h < 0 || h >= s.h) continue;
        const float* x_row = x + (image * s.h + h) * s.w * s.c_in + input_channel;
        Channels<V> columns[kColumns];
#pragma unroll
        for (int j = 0; j < kColumns; ++j) {
          const int w = left + j * x_step;
          columns[j] = w >= 0 && w < s.w ? load_channels<V>(x_row + static_cast<int64_t>(w) * s.c_in) : splat<V>(0.0f);
        }
#pragma unroll
        for (int t = 0; t < kStripColumns; ++t) {
          if (first_w + t >= s.out_w) break;
#pragma unroll
          for (int k = 0; k < KW; ++k) {
            const int w = left + (S == 0 ? t * x_step : t * S + k);
            if (w >= 0 && w < s.w) add_product(acc[i][k], columns[S == 0 ? t : t * S + k], d[t]);
          }
        }
      }
    }
  }

#pragma unroll
  for (int i = 0; i < KH; ++i) {
    if (i > 0) __syncthreads();  // row 0 of the block reads the tile after the last barrier inside
    sum_over_rows<KW * V>(tile, &acc[i][0].at[0]);
    if (threadIdx.y > 0 || channel >= s.c_out) continue;
    float* to = strips.partials + (static_cast<int64_t>(blockIdx.y) * s.kh + kh + i) * s.kw * s.c_out + channel;
#pragma unroll
    for (int k = 0; k < KW; ++k) store_channels(to + static_cast<int64_t>(kw + k) * s.c_out, acc[i][k]);
  }
}

__global__ void __launch_bounds__(kColumnThreads)
    depthwise_filter_total_kernel(const float* partials, int64_t count, int64_t size, float* d_filter) {
  FTWT_SHARED(float, tile, [kColumnThreads]);
  const int64_t i = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
  float sum = i < size ? partial_total(partials + i, count, size) : 0.0f;
  sum_over_rows<1>(tile, &sum);
  if (threadIdx.y == 0 && i < size) d_filter[i] = sum;
}

template <int V, int KH, int KW, int S>
void launch_filter_grad(const DepthwiseConv2dBackpropFilterParams& p) {
  const Conv2dShape& s = p.shape;
  const ColumnBlocks blocks(s.c_out / V, kMaxWidth);
  const int64_t strip_columns = std::max<int64_t>(1, (s.out_w + kStripColumns - 1) / kStripColumns);
  const int64_t strip_rows = std::max<int64_t>(1, (s.out_h + kStripRows - 1) / kStripRows);
  const int64_t count = s.n * strip_rows * strip_columns;
  if (count > kMostPlaces) throw Error(ErrorCode::InvalidArgument, "dy: expected at most 2^35 pixels");
  const int64_t groups = (s.kh / KH) * (s.kw / KW);
  const int64_t device_blocks = int64_t{kBlocksPerMultiprocessor} * current_limits().multiprocessors;
  const int64_t parts = row_blocks(device_blocks, blocks.tiles * groups, count, blocks.height);
  const int64_t size = s.kh * s.kw * s.c_out;
  const DeviceBuffer partials(static_cast<std::size_t>(parts * size) * sizeof(float));
  const Strips strips = {static_cast<uint32_t>(count), Divider(strip_columns),      Divider(strip_rows),
                         Divider(blocks.tiles),        static_cast<int>(s.kw / KW), partials.as<float>()};
  const dim3 grid(static_cast<unsigned>(blocks.tiles * groups), static_cast<unsigned>(parts));
  launch(depthwise_filter_grad_kernel<V, KH, KW, S>, grid, blocks.block(), 0, current_stream(), strips, Shape(s), p.x,
         p.dy);
  launch(depthwise_filter_total_kernel, dim3(total_grid(size)), total_block(), 0, current_stream(),
         partials.as<float>(), parts, size, p.d_filter);
}

template <int V>
void launch_filter_grad(const DepthwiseConv2dBackpropFilterParams& p) {
  const bool stride_1 = p.shape.stride_h == 1;
  switch (tiled_filter(p.shape)) {
    case 3: return (stride_1 ? launch_filter_grad<V, 3, 3, 1> : launch_filter_grad<V, 3, 3, 2>)(p);
    case 5: return (stride_1 ? launch_filter_grad<V, 1, 5, 1> : launch_filter_grad<V, 1, 5, 2>)(p);
    default: return launch_filter_grad<V, 1, 1, 0>(p);
  }
}

bool vectors_of_4(const Conv2dShape& s, std::initializer_list<const void*> arrays) {
  return s.c_out == s.c_in && s.c_in % 4 == 0 && aligned_for_vectors(arrays);
}

}  // namespace

void depthwise_conv2d(const DepthwiseConv2dParams& p) {
  const Conv2dShape& s = p.shape;
  if (s.c_out == 0) return;
  const bool by_4 = vectors_of_4(s, {p.x, p.filter, p.bias, p.y});
  if (const int64_t k = tiled_filter(s)) {
    const DepthwiseSum sum = {p.x,
                              p.filter,
                              p.bias,
                              p.y,
                              s.c_out,
                              s.c_out,
                              static_cast<int>(s.h),
                              static_cast<int>(s.w),
                              static_cast<int>(s.out_h),
                              static_cast<int>(s.out_w),
                              static_cast<int>(s.pad_top),
                              static_cast<int>(s.pad_left),
                              p.activation};
    return by_4 ? launch_tiles<4>(sum, s.n, k, s.stride_h) : launch_tiles<1>(sum, s.n, k, s.stride_h);
  }
  const auto kernel = by_4 ? depthwise_kernel<4> : depthwise_kernel<1>;
  for_pixel_grids(
      s.n, s.out_h, s.out_w, s.c_out, by_4 ? 4 : 1, kMaxWidth, [&](const PixelGrid& pixels, dim3 grid, dim3 block) {
        launch(kernel, grid, block, 0, current_stream(), pixels, Shape(s), p.x, p.filter, p.bias, p.activation, p.y);
      });
}

void depthwise_conv2d_backprop_input(const DepthwiseConv2dBackpropInputParams& p) {
  const Conv2dShape& s = p.shape;
  if (s.c_out == 0) {
    const auto bytes = static_cast<std::size_t>(s.n * s.h * s.w * s.c_in) * sizeof(float);
    if (bytes > 0) CUDA_CHECK(cudaMemsetAsync(p.dx, 0, bytes, current_stream()));
    return;
  }
  const bool by_4 = vectors_of_4(s, {p.dy, p.filter, p.dx});
  const int64_t k = tiled_filter(s);
  if (k != 0 && s.stride_h == 1) {
    const DepthwiseSum sum = {p.dy,
                              p.filter + (k * k - 1) * s.c_out,
                              nullptr,
                              p.dx,
                              -s.c_out,
                              s.c_out,
                              static_cast<int>(s.out_h),
                              static_cast<int>(s.out_w),
                              static_cast<int>(s.h),
                              static_cast<int>(s.w),
                              static_cast<int>(k - 1 - s.pad_top),
                              static_cast<int>(k - 1 - s.pad_left),
                              Activation::Linear};
    return by_4 ? launch_tiles<4>(sum, s.n, k, 1) : launch_tiles<1>(sum, s.n, k, 1);
  }
  const auto kernel = by_4 ? depthwise_input_grad_kernel<4> : depthwise_input_grad_kernel<1>;
  for_pixel_grids(s.n, s.h, s.w, s.c_in, by_4 ? 4 : 1, kMaxWidth, [&](const PixelGrid& pixels, dim3 grid, dim3 block) {
    launch(kernel, grid, block, 0, current_stream(), pixels, Shape(s), p.dy, p.filter, p.dx);
  });
}

void depthwise_conv2d_backprop_filter(const DepthwiseConv2dBackpropFilterParams& p) {
  const Conv2dShape& s = p.shape;
  if (s.kh * s.kw * s.c_out == 0) return;
  (vectors_of_4(s, {p.x, p.dy, p.d_filter}) ? launch_filter_grad<4> : launch_filter_grad<1>)(p);
}

}  // namespace ftwt::cuda
