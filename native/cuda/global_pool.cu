// Pooling of whole images in compiled networks. Grid: n * tiles of channels blocks of 256 threads (channel_pool.cuh),
// so that no sum depends on n. Bytes: x, packed or not, read once: [128, 8, 8, 512] 17 MB, 5 us at 3.35 TB/s.
//
// Hazards: one block reads all pixels of its channels, so few samples with large images leave the device idle.
#include "cuda/channel_pool.cuh"
#include "cuda/context.h"
#include "cuda/network_ops.h"

namespace ftwt::cuda {

void global_pool(const GlobalPool& p) {
  const float divisor = p.average ? static_cast<float>(p.pixels) : 1.0f;
  const auto pool = p.average ? launch_pool_channels<SumPool> : launch_pool_channels<MaxPool>;
  pool(pooled_pixels(p.x, p.pixels), p.y, p.n, p.pixels, divisor, current_stream());
}

}  // namespace ftwt::cuda
