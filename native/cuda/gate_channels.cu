// The activation in the active channels of a sample, zeros in the others; for what a convolution's launch cannot do
// itself. Grid: (elements of a sample / kPerBlock, samples). 8 bytes of memory traffic for an element; limit: memory.
#include <algorithm>

#include "cuda/activate.cuh"
#include "cuda/active_channels.cuh"
#include "cuda/network_ops.h"

namespace ftwt::cuda {
namespace {

constexpr int kThreads = 256;
constexpr int kPerBlock = 4 * kThreads;
constexpr int64_t kMaxGridY = 65535;

__global__ void __launch_bounds__(kThreads)
    gate_channels_kernel(float* y, int64_t n, int64_t floats, ActiveChannels active, Activation activation) {
  const int64_t first = static_cast<int64_t>(blockIdx.x) * kPerBlock;
  const int64_t last = min(first + kPerBlock, floats);
  for (int64_t sample = blockIdx.y; sample < n; sample += gridDim.y) {
    const int32_t* rank = active.rank(sample);
    float* image = y + sample * floats;
    for (int64_t i = first + threadIdx.x; i < last; i += kThreads) {
      const int channel = static_cast<int>(i % active.c);
      image[i] = rank[channel + 1] > rank[channel] ? activate(image[i], activation) : 0.0f;
    }
  }
}

}  // namespace

void gate_channels(const GateChannels& p) {
  const int64_t floats = p.pixels * p.active.c;
  const dim3 grid(static_cast<unsigned>((floats + kPerBlock - 1) / kPerBlock),
                  static_cast<unsigned>(std::min(p.n, kMaxGridY)));
  launch(gate_channels_kernel, grid, kThreads, 0, current_stream(), p.y, p.n, floats, ActiveChannels(p.active),
         p.activation);
}

}  // namespace ftwt::cuda
