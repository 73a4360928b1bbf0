// Every block pools a tile of channels of one sample: up to 32 threads lie along the channels (four channels to a
// thread where c allows), the others take other pixels and are pooled through shared memory. Where n * tiles blocks do
// not fill the device, the pixels are split too, and a second launch pools the splits; the largest of numbers does not
// depend on their grouping, so the result does not either.
//
// Grid: (n * tiles, splits) blocks of 256 threads, shared memory 4 KiB.
// Bytes: reads x once, writes [n, c]; no arithmetic to speak of. Limit: memory, 3.35 TB/s on an H100: 10 us for
// [128, 32, 32, 64] (33.5 MB). 16-byte loads, 4 in flight per thread: 128 KiB per multiprocessor, more than the 30 KiB
// that latency times bandwidth asks for.
// Hazards: a NaN anywhere makes the result NaN (see MaxMagnitudePool: fmaxf would drop it).
#include "ops/channel_saliency.h"

#include <algorithm>

#include "cuda/channel_pool.cuh"
#include "cuda/context.h"

namespace ftwt::cuda {
namespace {

constexpr int64_t kBlocksPerMultiprocessor = 4;
constexpr int64_t kMinSplitPixels = 64;
constexpr int64_t kMaxSplits = 1024;

}  // namespace

void channel_saliency(const ChannelSaliencyParams& p) {
  if (p.n * p.c == 0) return;
  const PooledPixels x = all_channels(p.x, p.pixels, p.c);
  const int64_t blocks = p.n * pool_tiling(p.c, aligned_to_vector(p.x)).tiles;
  const int64_t wanted = kBlocksPerMultiprocessor * current_limits().multiprocessors / blocks;
  const int64_t most = std::min(kMaxSplits, p.pixels / kMinSplitPixels);
  const int64_t splits = std::clamp<int64_t>(wanted, 1, std::max<int64_t>(1, most));
  const int64_t share = std::max<int64_t>(1, (p.pixels + splits - 1) / splits);
  const int64_t used = (p.pixels + share - 1) / share;
  if (used <= 1) {
    launch_pool_channels<MaxMagnitudePool>(x, p.saliency, p.n, share, 1.0f, current_stream());
    return;
  }
  const DeviceBuffer parts(static_cast<std::size_t>(p.n * used * p.c) * sizeof(float));
  launch_pool_channels<MaxMagnitudePool>(x, parts.as<float>(), p.n, share, 1.0f, current_stream());
  launch_pool_channels<MaxMagnitudePool>(all_channels(parts.as<float>(), used, p.c), p.saliency, p.n, used, 1.0f,
                                         current_stream());
}

}  // namespace ftwt::cuda
