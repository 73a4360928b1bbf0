// Windows over each channel alone, in compiled networks: depthwise convolution and pooling of the active channels.
//
// A thread computes one channel of kPixels neighbouring output pixels of a row, and reads once what their windows share
// (3 x 3 and 2 x 2 windows); neighbours in a warp have neighbouring channels of y, so that whole lines are written.
// With x packed, a channel finds its place by its rank, and what a warp reads of a pixel is the packed channels between
// its first and its last. Channels that are not active are zeros where y holds all.
//
// Grid: (worst case of strips x channels / 256, samples); blocks beyond a sample's channels end at once. No sum depends
// on the batch. Bytes: the active channels of x and y once, neighbouring windows meet in L1. With 3 x 3 taps, 4.5 loads
// of x and 9 / kPixels of the filter for an output, beside the 420 G outputs/s that memory gives at 8 bytes each.
// [64, 56, 56, 128] half active: 103 MB, 31 us.
//
// Hazards: 32-bit index arithmetic within a sample. Taps in the padding are skipped: a filter may hold infinities.
#include <algorithm>

#include "cuda/activate.cuh"
#include "cuda/active_channels.cuh"
#include "cuda/divider.cuh"
#include "cuda/network_ops.h"

namespace ftwt::cuda {
namespace {

constexpr int kThreads = 256;
constexpr int kPixels = 4;
constexpr int64_t kMaxGridY = 65535;

enum class WindowOp { Product, Maximum, Average };

// The channels of one side.
struct Side {
  float* data;
  ActiveChannels active;
  bool packed;

  explicit Side(const Activations& a) : data(a.data), active(a.active), packed(a.packed) {}

  __device__ __forceinline__ int width(int64_t sample) const {
    return packed ? packed_channels(active.count(sample)) : active.c;
  }
  __device__ __forceinline__ float* image(int64_t sample, int pixels) const {
    return data + sample * pixels * (packed ? packed_channels(active.c) : active.c);
  }
};

struct ChannelWindows {
  int64_t n;
  int h, w, out_h, out_w, kh, kw;
  int stride_h, stride_w, pad_top, pad_left, dilation_h, dilation_w;
  Side x, y;
  const float* filter;  // [kh, kw, c_out] of a product
  const float* bias;
  Activation activation;
  Divider multiplier;
};

ChannelWindows windows_of(const Conv2dShape& s, const Activations& x, const Activations& y) {
  return {s.n,
          static_cast<int>(s.h),
          static_cast<int>(s.w),
          static_cast<int>(s.out_h),
          static_cast<int>(s.out_w),
          static_cast<int>(s.kh),
          static_cast<int>(s.kw),
          static_cast<int>(s.stride_h),
          static_cast<int>(s.stride_w),
          static_cast<int>(s.pad_top),
          static_cast<int>(s.pad_left),
          static_cast<int>(s.dilation_h),
          static_cast<int>(s.dilation_w),
          Side(x),
          Side(y),
          nullptr,
          nullptr,
          Activation::Linear,
          Divider(s.c_out / s.c_in)};
}

// The channel of y in this column, or -1 where it is not active.
__device__ __forceinline__ int channel_of(const Side& y, int64_t sample, int column) {
  if (y.packed) return column < y.active.count(sample) ? y.active.list(sample)[column] : -1;
  const int32_t* rank = y.active.rank(sample) + column;
  return rank[1] > rank[0] ? column : -1;
}

// Where a channel lies in a pixel of x, or -1 where it is not stored: then it is 0.
__device__ __forceinline__ int place_of(const Side& x, int64_t sample, int channel) {
  if (!x.packed) return channel;
  const int32_t* rank = x.active.rank(sample) + channel;
  return rank[1] > rank[0] ? rank[0] : -1;
}

// What becomes of the cells of a window.
template <WindowOp op>
struct Window {
  float result;
  int cells;

  __device__ __forceinline__ void add(float value, float factor) {
    if constexpr (op == WindowOp::Product) result = fmaf(value, factor, result);
    if constexpr (op == WindowOp::Maximum) result = value > result ? value : result;  // NaN is ignored
    if constexpr (op == WindowOp::Average) {
      result += value;
      ++cells;
    }
  }
};

// One row of taps for a strip whose first window begins at column `w` of `row`. kTaps 0: any window.
template <WindowOp op, int kTaps, int kStride>
__device__ __forceinline__ void add_row(const ChannelWindows& p, const float* row, int width, int w, int tap_h,
                                        const float* filter, Window<op> (&strip)[kPixels]) {
  const auto factor = [&](int tap_w) {
    const int taps_w = kTaps > 0 ? kTaps : p.kw;
    return op == WindowOp::Product ? filter[static_cast<int64_t>(tap_h * taps_w + tap_w) * p.y.active.c] : 0.0f;
  };
  const auto inside = [&](int column) { return static_cast<unsigned>(column) < static_cast<unsigned>(p.w); };
  if constexpr (kTaps > 0) {  // neighbouring windows share what they read
    constexpr int kCells = (kPixels - 1) * kStride + kTaps;
    float cells[kCells], factors[kTaps];
#pragma unroll
    for (int i = 0; i < kCells; ++i) cells[i] = inside(w + i) ? row[(w + i) * width] : 0.0f;
#pragma unroll
    for (int tap = 0; tap < kTaps; ++tap) factors[tap] = factor(tap);
#pragma unroll
    for (int i = 0; i < kPixels; ++i) {
#pragma unroll
      for (int tap = 0; tap < kTaps; ++tap) {
        const int cell = i * kStride + tap;
        if (inside(w + cell)) strip[i].add(cells[cell], factors[tap]);
      }
    }
  } else {
    for (int tap = 0; tap < p.kw; ++tap) {
      const float own_factor = factor(tap);
#pragma unroll
      for (int i = 0; i < kPixels; ++i) {
        const int column = w + i * p.stride_w + tap * p.dilation_w;
        if (inside(column)) strip[i].add(row[column * width], own_factor);
      }
    }
  }
}

template <WindowOp op, int kTaps, int kStride>
__global__ void __launch_bounds__(kThreads) channel_windows_kernel(ChannelWindows p) {
  const int strips_w = (p.out_w + kPixels - 1) / kPixels;
  for (int64_t sample = blockIdx.y; sample < p.n; sample += gridDim.y) {
    const auto width = static_cast<uint32_t>(p.y.width(sample));
    const uint32_t index = blockIdx.x * kThreads + threadIdx.x;
    if (width == 0 || index >= static_cast<uint32_t>(strips_w * p.out_h) * width) continue;
    const int place_of_strip = static_cast<int>(index / width), column = static_cast<int>(index % width);
    const int out_h = place_of_strip / strips_w, out_w = place_of_strip % strips_w * kPixels;
    const int channel = channel_of(p.y, sample, column);
    float start = op == WindowOp::Maximum ? -INFINITY : 0.0f;
    if (op == WindowOp::Product && p.bias != nullptr && channel >= 0) start = p.bias[channel];
    Window<op> strip[kPixels] = {};
#pragma unroll
    for (int i = 0; i < kPixels; ++i) strip[i].result = start;
    const int from = channel < 0 ? 0 : static_cast<int>(p.multiplier.quotient(static_cast<uint32_t>(channel)));
    const int place = channel < 0 ? -1 : place_of(p.x, sample, from);
    if (place >= 0) {
      const int x_width = p.x.width(sample);
      const float* image = p.x.image(sample, p.h * p.w) + place;
      const float* filter = op == WindowOp::Product ? p.filter + channel : nullptr;
      const int first_h = out_h * p.stride_h - p.pad_top, first_w = out_w * p.stride_w - p.pad_left;
      const int taps_h = kTaps > 0 ? kTaps : p.kh;
#pragma unroll
      for (int tap_h = 0; tap_h < taps_h; ++tap_h) {
        const int h = first_h + tap_h * (kTaps > 0 ? 1 : p.dilation_h);
        if (static_cast<unsigned>(h) >= static_cast<unsigned>(p.h)) continue;
        add_row<op, kTaps, kStride>(p, image + h * p.w * x_width, x_width, first_w, tap_h, filter, strip);
      }
    }
    float* y = p.y.image(sample, p.out_h * p.out_w) + (out_h * p.out_w + out_w) * static_cast<int>(width) + column;
#pragma unroll
    for (int i = 0; i < kPixels; ++i) {
      if (out_w + i >= p.out_w) break;
      float result = strip[i].result;
      if constexpr (op == WindowOp::Average) result /= static_cast<float>(strip[i].cells);
      y[i * static_cast<int>(width)] = channel < 0 ? 0.0f : activate(result, p.activation);
    }
  }
}

template <WindowOp op>
void launch_windows(const ChannelWindows& p) {
  const int64_t strips = static_cast<int64_t>(p.out_h) * ((p.out_w + kPixels - 1) / kPixels);
  const int64_t threads = strips * packed_channels(p.y.active.c);
  const dim3 grid(static_cast<unsigned>((threads + kThreads - 1) / kThreads),
                  static_cast<unsigned>(std::min(p.n, kMaxGridY)));
  auto* kernel = channel_windows_kernel<op, 0, 0>;
  const auto has = [&](int taps, int stride) {
    return p.kh == taps && p.kw == taps && p.stride_h == stride && p.stride_w == stride && p.dilation_h == 1 &&
           p.dilation_w == 1;
  };
  if (has(3, 1)) kernel = channel_windows_kernel<op, 3, 1>;
  if (has(3, 2)) kernel = channel_windows_kernel<op, 3, 2>;
  if (has(2, 2)) kernel = channel_windows_kernel<op, 2, 2>;
  launch(kernel, grid, kThreads, 0, current_stream(), p);
}

}  // namespace

void sparse_depthwise(const SparseDepthwise& p) {
  ChannelWindows windows = windows_of(p.shape, p.x, p.y);
  windows.filter = p.filter;
  windows.bias = p.bias;
  windows.activation = p.activation;
  launch_windows<WindowOp::Product>(windows);
}

void sparse_pool(const SparsePool& p) {
  const ChannelWindows windows = windows_of(p.shape, p.x, p.y);
  p.average ? launch_windows<WindowOp::Average>(windows) : launch_windows<WindowOp::Maximum>(windows);
}

}  // namespace ftwt::cuda
