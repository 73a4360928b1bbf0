// Pooling and its gradient, NHWC.
//
// One thread per output vector of 4 channels (of 1 where c % 4 != 0 or an array is not aligned). Blocks are up to 32
// vectors wide, 512 bytes of a pixel; with few channels they are low and tall, and a warp covers neighbouring pixels.
//
// The gradient gathers: a thread owns a vector of dx and adds what the windows over it give, in the order of the
// windows, so there are no atomics and the sums are the CPU's, bit for bit. In a maximum, the cell wins a window if it
// equals y and no earlier cell of the window does; the earlier cells are read only where the first test holds, which is
// for one cell in a window, mostly. As on the CPU, NaN is never a maximum and -inf never gets a gradient.
//
// Bytes: forward x + y; gradient dx + dy, and for a maximum x + y. Overlapping windows and the four readers of each
// window's y and dy meet in L1 and L2. Arithmetic is a fraction of an operation per byte: the limit is memory.
// [256, 32, 32, 64] by 2 x 2: 84 MB forward, 25 us at 3.35 TB/s; gradient 168 MB, 50 us.
//
// Hazards: one thread reads a window alone, so a window over a whole large image with few images and channels leaves
// the device idle (a reduction is the better op); 32-bit index arithmetic, see pixel_grid.cuh.
#include "ops/pool.h"

#include "cuda/channels.cuh"
#include "cuda/context.h"
#include "cuda/device.cuh"
#include "cuda/pixel_grid.cuh"

namespace ftwt::cuda {
namespace {

constexpr int kMaxWidth = 32;  // vectors

// One axis of the windows.
struct Axis {
  int in, out, window, pad;
  int stride;
  Divider by_stride;

  Axis(int64_t in_, int64_t out_, int64_t window_, int64_t stride_, int64_t pad_)
      : in(static_cast<int>(in_)),
        out(static_cast<int>(out_)),
        window(static_cast<int>(window_)),
        pad(static_cast<int>(pad_)),
        stride(static_cast<int>(stride_)),
        by_stride(stride_) {}

  // The cells of window o that lie inside.
  __device__ __forceinline__ int begin(int o) const { return max(o * stride - pad, 0); }
  __device__ __forceinline__ int end(int o) const { return min(o * stride - pad + window, in); }

  // The windows over cell i.
  __device__ __forceinline__ int first_over(int i) const {
    const int past = i + pad - window;  // a window that begins here ends before i
    return past < 0 ? 0 : static_cast<int>(by_stride.quotient(static_cast<uint32_t>(past))) + 1;
  }
  __device__ __forceinline__ int end_over(int i) const {
    return min(static_cast<int>(by_stride.quotient(static_cast<uint32_t>(i + pad))) + 1, out);
  }
};

struct Windows {
  Axis rows, columns;
  int64_t c;

  explicit Windows(const PoolParams& p)
      : rows(p.h, p.out_h, p.window_h, p.stride_h, p.pad_top),
        columns(p.w, p.out_w, p.window_w, p.stride_w, p.pad_left),
        c(p.c) {}

  __device__ __forceinline__ int64_t input_offset(const Place& at) const {
    return ((at.image * rows.in + at.row) * columns.in + at.column) * c + at.channel;
  }
  __device__ __forceinline__ int64_t output_offset(const Place& at) const {
    return ((at.image * rows.out + at.row) * columns.out + at.column) * c + at.channel;
  }
  __device__ __forceinline__ float cells(int row, int column) const {
    const int64_t height = rows.end(row) - rows.begin(row), width = columns.end(column) - columns.begin(column);
    return height > 0 && width > 0 ? static_cast<float>(height * width) : 0.0f;
  }
};

template <int V, bool kAverage>
__global__ void __launch_bounds__(kColumnThreads)
    pool_kernel(PixelGrid grid, Windows windows, const float* x, float* y) {
  Place at;
  if (!grid.find<V>(at)) return;
  const int w_begin = windows.columns.begin(at.column), w_end = windows.columns.end(at.column);
  const int h_end = windows.rows.end(at.row);
  Channels<V> result = splat<V>(kAverage ? 0.0f : -INFINITY);
  for (int h = windows.rows.begin(at.row); h < h_end; ++h) {
    const float* row = x + windows.input_offset({at.image, h, 0, at.channel});
#pragma unroll 4
    for (int w = w_begin; w < w_end; ++w) {
      const Channels<V> v = load_channels<V>(row + w * windows.c);
#pragma unroll
      for (int i = 0; i < V; ++i) {
        if constexpr (kAverage) {
          result.at[i] += v.at[i];
        } else {
          result.at[i] = v.at[i] > result.at[i] ? v.at[i] : result.at[i];
        }
      }
    }
  }
  if constexpr (kAverage) {
    const float count = windows.cells(at.row, at.column);  // 0 / 0 without cells, as in tfjs
#pragma unroll
    for (int i = 0; i < V; ++i) result.at[i] /= count;
  }
  store_channels(y + windows.output_offset(at), result);
}

template <int V>
__global__ void __launch_bounds__(kColumnThreads)
    average_pool_grad_kernel(PixelGrid grid, Windows windows, const float* dy, float* dx) {
  Place at;
  if (!grid.find<V>(at)) return;
  const int w_end = windows.columns.end_over(at.column), h_end = windows.rows.end_over(at.row);
  Channels<V> gradient = splat<V>(0.0f);
  for (int h = windows.rows.first_over(at.row); h < h_end; ++h) {
    for (int w = windows.columns.first_over(at.column); w < w_end; ++w) {
      const Channels<V> share = splat<V>(1.0f / windows.cells(h, w));
      add_product(gradient, load_channels<V>(dy + windows.output_offset({at.image, h, w, at.channel})), share);
    }
  }
  store_channels(dx + windows.input_offset(at), gradient);
}

// Of the lanes in `winners`, those whose maximum `top` no cell of window (h, w) before `at` has.
template <int V>
__device__ __forceinline__ unsigned first_in_window(const Windows& windows, const float* x, const Place& at, int h,
                                                    int w, const Channels<V>& top, unsigned winners) {
  const int w_begin = windows.columns.begin(w), w_end = windows.columns.end(w);
  for (int row = windows.rows.begin(h); row <= at.row; ++row) {
    const int end = row == at.row ? at.column : w_end;
    const float* cells = x + windows.input_offset({at.image, row, 0, at.channel});
    for (int column = w_begin; column < end; ++column) {
      const Channels<V> v = load_channels<V>(cells + column * windows.c);
#pragma unroll
      for (int i = 0; i < V; ++i) {
        if (v.at[i] == top.at[i]) winners &= ~(1u << i);
      }
      if (winners == 0) return 0;
    }
  }
  return winners;
}

template <int V>
__global__ void __launch_bounds__(kColumnThreads, 4)
    max_pool_grad_kernel(PixelGrid grid, Windows windows, const float* x, const float* y, const float* dy, float* dx) {
  Place at;
  if (!grid.find<V>(at)) return;
  const int64_t offset = windows.input_offset(at);
  const Channels<V> value = load_channels<V>(x + offset);
  const int w_end = windows.columns.end_over(at.column), h_end = windows.rows.end_over(at.row);
  Channels<V> gradient = splat<V>(0.0f);
  for (int h = windows.rows.first_over(at.row); h < h_end; ++h) {
    for (int w = windows.columns.first_over(at.column); w < w_end; ++w) {
      const int64_t window = windows.output_offset({at.image, h, w, at.channel});
      const Channels<V> top = load_channels<V>(y + window);
      unsigned winners = 0;
#pragma unroll
      for (int i = 0; i < V; ++i) {
        if (value.at[i] == top.at[i] && top.at[i] > -INFINITY) winners |= 1u << i;
      }
      if (winners != 0) winners = first_in_window(windows, x, at, h, w, top, winners);
      if (winners == 0) continue;
      const Channels<V> d = load_channels<V>(dy + window);
#pragma unroll
      for (int i = 0; i < V; ++i) {
        if (winners >> i & 1) gradient.at[i] += d.at[i];
      }
    }
  }
  store_channels(dx + offset, gradient);
}

template <int V>
void launch_pool(const PoolParams& p) {
  const Windows windows(p);
  const auto kernel = p.average ? pool_kernel<V, true> : pool_kernel<V, false>;
  for_pixel_grids(p.n, p.out_h, p.out_w, p.c, V, kMaxWidth, [&](const PixelGrid& pixels, dim3 grid, dim3 block) {
    launch(kernel, grid, block, 0, current_stream(), pixels, windows, p.x, p.y);
  });
}

template <int V>
void launch_pool_grad(const PoolGradParams& g) {
  const PoolParams& p = g.forward;
  const Windows windows(p);
  for_pixel_grids(p.n, p.h, p.w, p.c, V, kMaxWidth, [&](const PixelGrid& pixels, dim3 grid, dim3 block) {
    if (p.average) {
      launch(average_pool_grad_kernel<V>, grid, block, 0, current_stream(), pixels, windows, g.dy, g.dx);
    } else {
      launch(max_pool_grad_kernel<V>, grid, block, 0, current_stream(), pixels, windows, p.x, p.y, g.dy, g.dx);
    }
  });
}

}  // namespace

void pool(const PoolParams& p) {
  (p.c % 4 == 0 && aligned_for_vectors({p.x, p.y}) ? launch_pool<4> : launch_pool<1>)(p);
}

void pool_grad(const PoolGradParams& g) {
  const PoolParams& p = g.forward;
  const bool vectors = p.c % 4 == 0 && aligned_for_vectors({p.x, p.y, g.dy, g.dx});
  (vectors ? launch_pool_grad<4> : launch_pool_grad<1>)(g);
}

}  // namespace ftwt::cuda
