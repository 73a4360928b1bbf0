// The filter's gradient: d_filter[tap] = sum over samples of (active x moved by the tap)^T (active dy).
//
// A block owns 64 input and 64 output channels of one tap, keeps their sums in shared memory, and goes through a group
// of samples. Of each sample it takes the active channels among its own (a range of the sample's ascending lists),
// multiplies them as a small dense product, 16 pixels per step with three stages of cp.async, and adds the product to
// the sums at the channels' places. Work follows both counts in steps of 16 channels (TF32: 16 and 8); samples without
// active channels in the tile cost a look at four ranks. The copies run ahead across samples, so small images keep the
// pipeline full.
//
// Groups have sums of their own in scratch, added in their order by a second launch: no atomics, the same result in
// every run. There are as many groups as fill the device.
//
// Launch: (taps * tiles in * tiles out, groups) blocks of 256 threads, 46 KiB of shared memory.
// Limits, H100: with 64 x 64 active a thread does 256 FMAs per step and reads 32 vectors of shared memory and issues 8
// copies of 4 bytes (about 100 instructions): some 60 % of 67 TFLOP/s; with 32 x 32 active 64 FMAs beside 16 reads and
// 4 to 8 copies, 35 %. Adding a product to the sums costs 16 reads and writes a thread, as much as one step or two,
// which shows below 64 pixels. Scratch: groups * taps * c_in * c_out floats, written and read once, 256 MiB at most.
// Hazards: where a tap leaves the image, neither x nor dy is read, so an infinity in dy meets no padding.
#include <algorithm>

#include "cuda/active_channels.cuh"
#include "cuda/context.h"
#include "cuda/device.cuh"
#include "cuda/map.cuh"
#include "cuda/sparse_outer_tile.cuh"
#include "ops/channel_sparse_conv2d.h"

namespace ftwt::cuda {
namespace {

constexpr int kStages = 3;
constexpr int kStageFloats = 2 * kOuterChannels * kOuterStride;
constexpr int64_t kBlocksPerMultiprocessor = 8;
constexpr int64_t kMaxPartFloats = int64_t{64} << 20;

struct FilterProduct {
  Conv2dShape shape;
  ActiveChannels in, out;
  const float* x;
  const float* dy;
  float* parts;  // [groups, kh, kw, c_in, c_out]
  int64_t samples_per_group;
  int in_tiles, out_tiles;
};

// The active channels of a tile: a range of a sample's list.
struct ActiveRange {
  int first = 0, count = 0;

  __device__ __forceinline__ void look_up(const ActiveChannels& active, int64_t sample, int channel) {
    const int32_t* rank = active.rank(sample);
    first = rank[channel];
    count = rank[min(channel + kOuterChannels, active.c)] - first;
  }
};

// Goes through the steps of those samples that have something to multiply.
struct StepCursor {
  const FilterProduct& p;
  int in_channel, out_channel;  // first ones of the tile
  int64_t sample, end;
  int64_t pixel;
  ActiveRange in, out;

  __device__ StepCursor(const FilterProduct& product, int first_in, int first_out, int64_t begin, int64_t end_sample)
      : p(product), in_channel(first_in), out_channel(first_out), sample(begin), end(end_sample), pixel(0) {
    seek();
  }
  __device__ __forceinline__ bool done() const { return sample >= end; }
  __device__ __forceinline__ bool last_of_sample() const {
    return pixel + kOuterPixels >= p.shape.out_h * p.shape.out_w;
  }
  __device__ __forceinline__ void advance() {
    if (!last_of_sample()) {
      pixel += kOuterPixels;
      return;
    }
    pixel = 0;
    ++sample;
    seek();
  }

 private:
  __device__ __forceinline__ void seek() {
    for (; sample < end; ++sample) {
      in.look_up(p.in, sample, in_channel);
      out.look_up(p.out, sample, out_channel);
      if (in.count > 0 && out.count > 0) return;
    }
  }
};

// Copies the channels of a step to [channel][pixel]. Eight lanes lie along the channels, four along the pixels: whole
// sectors where all channels are active, and no bank conflicts.
class OuterLoader {
 public:
  __device__ OuterLoader(const FilterProduct& p, int64_t tap)
      : p_(p),
        move_h_(static_cast<int>(tap / p.shape.kw * p.shape.dilation_h - p.shape.pad_top)),
        move_w_(static_cast<int>(tap % p.shape.kw * p.shape.dilation_w - p.shape.pad_left)) {}

  __device__ __forceinline__ void load(const StepCursor& at, float* a, float* b) {
    const Conv2dShape& s = p_.shape;
    if (at.pixel == 0) start_sample(at);
    float* to_a = a + own_channel() * kOuterStride + own_pixel();
    float* to_b = b + own_channel() * kOuterStride + own_pixel();
#pragma unroll
    for (int k = 0; k < kOuterPixels; k += kPixelStep) {
      const int h = h_ * static_cast<int>(s.stride_h) + move_h_, w = w_ * static_cast<int>(s.stride_w) + move_w_;
      const bool hit = h_ < s.out_h && static_cast<unsigned>(h) < static_cast<unsigned>(s.h) &&
                       static_cast<unsigned>(w) < static_cast<unsigned>(s.w);
      if (x_ != nullptr) {
        const float* from = hit ? x_ + (static_cast<int64_t>(h) * s.w + w) * s.c_in : p_.x;
        cp_async<4>(to_a + k, from, hit ? 4 : 0);
      }
      if (dy_ != nullptr) {
        const float* from = hit ? dy_ + (static_cast<int64_t>(h_) * s.out_w + w_) * s.c_out : p_.dy;
        cp_async<4>(to_b + k, from, hit ? 4 : 0);
      }
      move_on(kPixelStep);
    }
  }

 private:
  static constexpr int kChannelLanes = 8;
  static constexpr int kPixelStep = 32 / kChannelLanes;

  static __device__ __forceinline__ int own_channel() {
    return static_cast<int>(threadIdx.x) / 32 * kChannelLanes + static_cast<int>(threadIdx.x) % kChannelLanes;
  }
  static __device__ __forceinline__ int own_pixel() { return static_cast<int>(threadIdx.x) % 32 / kChannelLanes; }

  __device__ __forceinline__ void start_sample(const StepCursor& at) {
    const Conv2dShape& s = p_.shape;
    x_ = own_channel() < at.in.count
             ? p_.x + at.sample * s.h * s.w * s.c_in + p_.in.list(at.sample)[at.in.first + own_channel()]
             : nullptr;
    dy_ = own_channel() < at.out.count
              ? p_.dy + at.sample * s.out_h * s.out_w * s.c_out + p_.out.list(at.sample)[at.out.first + own_channel()]
              : nullptr;
    h_ = w_ = 0;
    move_on(own_pixel());
  }

  __device__ __forceinline__ void move_on(int pixels) {
    const int out_w = static_cast<int>(p_.shape.out_w);
    for (w_ += pixels; w_ >= out_w; w_ -= out_w) ++h_;
  }

  const FilterProduct& p_;
  int move_h_, move_w_;
  int h_ = 0, w_ = 0;         // output pixel of the next copy
  const float* x_ = nullptr;  // the sample's first pixel at this thread's channel, nullptr for none
  const float* dy_ = nullptr;
};

template <class Tile>
__global__ void __launch_bounds__(kOuterThreads) channel_sparse_conv2d_filter_kernel(FilterProduct p) {
  FTWT_SHARED(float, stages, [kStages * kStageFloats]);
  FTWT_SHARED(float, sums, [kOuterChannels * kOuterChannels]);
  const int block = static_cast<int>(blockIdx.x);
  const int first_out = block % p.out_tiles * kOuterChannels;
  const int first_in = block / p.out_tiles % p.in_tiles * kOuterChannels;
  const int64_t tap = block / p.out_tiles / p.in_tiles;
  const int64_t begin = blockIdx.y * p.samples_per_group;
  const int64_t end = min(begin + p.samples_per_group, p.shape.n);
  for (int i = static_cast<int>(threadIdx.x); i < kOuterChannels * kOuterChannels; i += kOuterThreads) sums[i] = 0;

  StepCursor ahead(p, first_in, first_out, begin, end), now = ahead;
  OuterLoader loader(p, tap);
  Tile tile;
  const auto load = [&](int step) {
    float* stage = stages + step % kStages * kStageFloats;
    if (!ahead.done()) {
      loader.load(ahead, stage, stage + kStageFloats / 2);
      ahead.advance();
    }
    cp_async_commit();
  };
  for (int step = 0; step < kStages - 1; ++step) load(step);
  for (int step = 0; !now.done(); ++step) {
    cp_async_wait<kStages - 2>();
    __syncthreads();  // also between the sums' additions for one sample and the next
    load(step + kStages - 1);
    const float* stage = stages + step % kStages * kStageFloats;
    tile.add_product(stage, stage + kStageFloats / 2, now.in.count, now.out.count);
    if (now.last_of_sample()) {
      const int32_t* rows = p.in.list(now.sample) + now.in.first;
      const int32_t* columns = p.out.list(now.sample) + now.out.first;
      tile.flush(now.in.count, now.out.count, [&](int row, int column, float sum) {
        sums[(rows[row] - first_in) * kOuterChannels + columns[column] - first_out] += sum;
      });
    }
    now.advance();
  }
  cp_async_wait<0>();
  __syncthreads();
  const int64_t c_in = p.in.c, c_out = p.out.c;
  float* part = p.parts + (blockIdx.y * p.shape.kh * p.shape.kw + tap) * c_in * c_out;
  for (int i = static_cast<int>(threadIdx.x); i < kOuterChannels * kOuterChannels; i += kOuterThreads) {
    const int64_t in = first_in + i / kOuterChannels, out = first_out + i % kOuterChannels;
    if (in < c_in && out < c_out) part[in * c_out + out] = sums[i];
  }
}

struct SumOfParts {
  const float* parts;
  int64_t size, count;
  __device__ float operator()(int64_t i) const {
    float sum = 0;
    for (int64_t part = 0; part < count; ++part) sum += parts[part * size + i];
    return sum;
  }
};

}  // namespace

void channel_sparse_conv2d_backprop_filter(const ChannelSparseConv2dBackpropFilterParams& p) {
  const Conv2dShape& s = p.shape;
  const int64_t size = s.kh * s.kw * s.c_in * s.c_out;
  if (size == 0) return;
  const cudaStream_t stream = current_stream();
  if (s.n * s.h * s.w * s.out_h * s.out_w == 0) {
    CUDA_CHECK(cudaMemsetAsync(p.d_filter, 0, static_cast<std::size_t>(size) * sizeof(float), stream));
    return;
  }
  const ActiveLists active(p.masks, s);
  const auto tiles = [](int64_t c) { return static_cast<int>((c + kOuterChannels - 1) / kOuterChannels); };
  const int64_t blocks = s.kh * s.kw * tiles(s.c_in) * tiles(s.c_out);
  const int64_t wanted = (kBlocksPerMultiprocessor * current_limits().multiprocessors + blocks - 1) / blocks;
  const int64_t most = std::max<int64_t>(1, std::min(s.n, kMaxPartFloats / size));
  const int64_t per_group = (s.n + std::min(wanted, most) - 1) / std::min(wanted, most);
  const int64_t groups = (s.n + per_group - 1) / per_group;
  const DeviceBuffer parts(static_cast<std::size_t>(groups > 1 ? groups * size : 1) * sizeof(float));
  const FilterProduct product{s,         active.in(),   active.out(),
                              p.x,       p.dy,          groups > 1 ? parts.as<float>() : p.d_filter,
                              per_group, tiles(s.c_in), tiles(s.c_out)};
  const auto kernel = current_precision() == Precision::Tf32 ? channel_sparse_conv2d_filter_kernel<Tf32OuterTile>
                                                             : channel_sparse_conv2d_filter_kernel<FmaOuterTile>;
  launch(kernel, dim3(static_cast<unsigned>(blocks), static_cast<unsigned>(groups)), kOuterThreads, 0, stream, product);
  if (groups > 1) map(p.d_filter, size, SumOfParts{parts.as<float>(), size, groups});
}

}  // namespace ftwt::cuda
