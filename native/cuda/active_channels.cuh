// Which channels of each sample are active, as lists that are built and stay on the device.
#pragma once
#include <cuda_runtime.h>

#include <cstdint>

#include "cuda/context.h"
#include "ops/channel_sparse_conv2d.h"

namespace ftwt::cuda {

struct ActiveChannels {
  const int32_t* lists;  // [n, c]: the active channels of each sample, ascending; what follows them is not written
  const int32_t* ranks;  // [n, c + 1]: how many channels below each one are active
  int c;

  __device__ __forceinline__ const int32_t* list(int64_t sample) const { return lists + sample * c; }
  __device__ __forceinline__ const int32_t* rank(int64_t sample) const { return ranks + sample * (c + 1); }
  __device__ __forceinline__ int count(int64_t sample) const { return rank(sample)[c]; }
};

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

// Packed pixels hold this multiple of channels; what exceeds the active ones is zero.
constexpr int kPackedChannels = 4;
__host__ __device__ constexpr int packed_channels(int active) {
  return (active + kPackedChannels - 1) / kPackedChannels * kPackedChannels;
}

// packed: of sample i, from i * pixels * packed_channels(c) on, [pixels, packed_channels(count(i))].
inline std::size_t packed_floats(int64_t n, int64_t pixels, int c) {
  return static_cast<std::size_t>(n * pixels * packed_channels(c));
}
void pack_active(const float* x, int64_t n, int64_t pixels, const ActiveChannels& active, float* packed);

}  // namespace ftwt::cuda
