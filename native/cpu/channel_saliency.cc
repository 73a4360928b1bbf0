#include "ops/channel_saliency.h"

#include <algorithm>

#include "cpu/channel_pool.h"
#include "cpu/thread_pool.h"

namespace ftwt::cpu {

void channel_saliency(const ChannelSaliencyParams& p) {
  const auto pool_channels = FTWT_KERNEL(pool_channels);
  const int64_t blocks = (p.c + kPoolBlock - 1) / kPoolBlock;
  parallel_for(p.n * blocks, 1, [&](int64_t begin, int64_t end, int) {
    for (int64_t item = begin; item < end; ++item) {
      const int64_t sample = item / blocks;
      const int64_t first = item % blocks * kPoolBlock;
      pool_channels(ChannelPool::MaxAbs, p.x + sample * p.pixels * p.c + first, p.pixels, p.c,
                    std::min(kPoolBlock, p.c - first), p.saliency + sample * p.c + first);
    }
  });
}

}  // namespace ftwt::cpu
