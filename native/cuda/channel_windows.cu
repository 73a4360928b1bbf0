// Windows over each channel alone, in compiled networks: depthwise convolution and pooling of the active channels.
//
// A thread computes one channel of kPixels neighbouring output pixels; neighbours in a warp have neighbouring channels
// of y, so that whole lines are written. With x packed, a channel finds its place by its rank, and what a warp reads of
// a pixel is the packed channels between its first and its last. Channels that are not active are zeros where y holds
// all.
//
// Grid: (worst case of strips x channels / 256, samples); blocks beyond a sample's channels end at once. No sum depends
// on the batch. Bytes: the active channels of x and y once, neighbouring windows meet in L1. With 3 x 3 taps, 9 loads
// of x and 9 / kPixels of the filter for an output: some 12 of the 32 that a multiprocessor's cycle serves, 600 G
// outputs/s on an H100, beside the 420 G/s that memory gives at 8 bytes an output. [64, 56, 56, 128] half active: 103
// MB, 31 us.
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

template <WindowOp op>
__device__ __forceinline__ void add_tap(const ChannelWindows& p, const float* image, int width, int first, int tap_h,
                                        int tap_w, float factor, float* result, int* cells) {
#pragma unroll
  for (int i = 0; i < kPixels; ++i) {
    const int pixel = first + i;
    const int h = pixel / p.out_w * p.stride_h - p.pad_top + tap_h * p.dilation_h;
    const int w = pixel % p.out_w * p.stride_w - p.pad_left + tap_w * p.dilation_w;
    const bool inside = pixel < p.out_h * p.out_w && static_cast<unsigned>(h) < static_cast<unsigned>(p.h) &&
                        static_cast<unsigned>(w) < static_cast<unsigned>(p.w);
    if (!inside) continue;
    const float value = image[static_cast<int64_t>(h * p.w + w) * width];
    if constexpr (op == WindowOp::Product) result[i] = fmaf(value, factor, result[i]);
    if constexpr (op == WindowOp::Maximum) result[i] = value > result[i] ? value : result[i];  // NaN is ignored
    if constexpr (op == WindowOp::Average) {
      result[i] += value;
      ++cells[i];
    }
  }
}

template <WindowOp op>
__global__ void __launch_bounds__(kThreads) channel_windows_kernel(ChannelWindows p) {
  const int pixels = p.out_h * p.out_w, strips = (pixels + kPixels - 1) / kPixels;
  for (int64_t sample = blockIdx.y; sample < p.n; sample += gridDim.y) {
    const auto width = static_cast<uint32_t>(p.y.width(sample));
    const uint32_t index = blockIdx.x * kThreads + threadIdx.x;
    if (width == 0 || index >= static_cast<uint32_t>(strips) * width) continue;
    const int first = static_cast<int>(index / width) * kPixels;
    const int column = static_cast<int>(index % width);
    const int channel = channel_of(p.y, sample, column);
    float result[kPixels];
    int cells[kPixels] = {};
    const float start = op == WindowOp::Maximum                                        ? -INFINITY
                        : op == WindowOp::Product && p.bias != nullptr && channel >= 0 ? p.bias[channel]
                                                                                       : 0.0f;
#pragma unroll
    for (int i = 0; i < kPixels; ++i) result[i] = start;
    const int from = channel < 0 ? 0 : static_cast<int>(p.multiplier.quotient(static_cast<uint32_t>(channel)));
    const int place = channel < 0 ? -1 : place_of(p.x, sample, from);
    if (place >= 0) {
      const int x_width = p.x.width(sample);
      const float* image = p.x.image(sample, p.h * p.w) + place;
      for (int tap_h = 0; tap_h < p.kh; ++tap_h) {
        for (int tap_w = 0; tap_w < p.kw; ++tap_w) {
          const int64_t tap = (static_cast<int64_t>(tap_h) * p.kw + tap_w) * p.y.active.c + channel;
          const float factor = op == WindowOp::Product ? p.filter[tap] : 0.0f;
          add_tap<op>(p, image, x_width, first, tap_h, tap_w, factor, result, cells);
        }
      }
    }
    float* y = p.y.image(sample, pixels) + static_cast<int64_t>(first) * width + column;
#pragma unroll
    for (int i = 0; i < kPixels; ++i) {
      if (first + i >= pixels) break;
      if constexpr (op == WindowOp::Average) result[i] /= static_cast<float>(cells[i]);
      y[static_cast<int64_t>(i) * width] = channel < 0 ? 0.0f : activate(result[i], p.activation);
    }
  }
}

template <WindowOp op>
void launch_windows(const ChannelWindows& p) {
  const int64_t strips = (static_cast<int64_t>(p.out_h) * p.out_w + kPixels - 1) / kPixels;
  const int64_t threads = strips * packed_channels(p.y.active.c);
  const dim3 grid(static_cast<unsigned>((threads + kThreads - 1) / kThreads),
                  static_cast<unsigned>(std::min(p.n, kMaxGridY)));
  launch(channel_windows_kernel<op>, grid, kThreads, 0, current_stream(), p);
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
