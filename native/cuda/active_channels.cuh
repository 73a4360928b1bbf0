// Which channels of each sample are active, as lists that are built and stay on the device.
#pragma once
#include <cuda_runtime.h>

#include <cstdint>

#include "cuda/context.h"
#include "cuda/device.cuh"
#include "cuda/network_ops.h"
#include "ops/channel_sparse_conv2d.h"

namespace ftwt::cuda {

struct ActiveChannels : ActiveView {
  ActiveChannels() = default;
  explicit ActiveChannels(const ActiveView& view) : ActiveView(view) {}

  __device__ __forceinline__ const int32_t* list(int64_t sample) const { return shared ? lists : lists + sample * c; }
  __device__ __forceinline__ const int32_t* rank(int64_t sample) const {
    return shared ? ranks : ranks + sample * (c + 1);
  }
  __device__ __forceinline__ int count(int64_t sample) const { return rank(sample)[c]; }
};

// Lists the channels of one sample for which is_active(channel) is true, by a block of kListThreads. Every thread gets
// their number. counts: kListWarps ints of shared memory.
constexpr int kListThreads = 256;
constexpr int kListWarps = kListThreads / 32;
template <class IsActive>
__device__ __forceinline__ int list_active(int c, const IsActive& is_active, int32_t* list, int32_t* rank,
                                           int* counts) {
  const int thread = static_cast<int>(threadIdx.x), warp = thread / 32, lane = thread % 32;
  int before = 0;  // active channels of the rounds so far
  for (int first = 0; first < c; first += kListThreads) {
    const int channel = first + thread;
    const bool active = channel < c && is_active(channel);
    const unsigned votes = __ballot_sync(0xffffffffu, active);
    if (lane == 0) counts[warp] = __popc(votes);
    __syncthreads();
    int place = before + __popc(votes & ((1u << lane) - 1));
    for (int i = 0; i < kListWarps; ++i) {
      place += i < warp ? counts[i] : 0;
      before += counts[i];
    }
    if (channel < c) rank[channel] = place;
    if (active) list[place] = channel;
    __syncthreads();  // before the counts of the next round
  }
  if (thread == 0) rank[c] = before;
  return before;
}

// Of the inputs and outputs of a convolution.
class ActiveLists {
 public:
  ActiveLists(const ChannelMasks& masks, const Conv2dShape& shape);
  ActiveChannels in() const { return in_; }
  ActiveChannels out() const { return out_; }

 private:
  DeviceBuffer storage_;
  ActiveChannels in_, out_;
};

__host__ __device__ constexpr int packed_channels(int active) {
  return (active + kPackedChannels - 1) / kPackedChannels * kPackedChannels;
}

// packed: of sample i, from i * pixels * packed_channels(c) on, [pixels, packed_channels(count(i))].
inline std::size_t packed_floats(int64_t n, int64_t pixels, int c) {
  return static_cast<std::size_t>(n * pixels * packed_channels(c));
}
void pack_active(const float* x, int64_t n, int64_t pixels, const ActiveChannels& active, float* packed);

}  // namespace ftwt::cuda
