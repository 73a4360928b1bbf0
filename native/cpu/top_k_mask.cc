#include "ops/top_k_mask.h"

#include <algorithm>

#include "cpu/rank_channels.h"
#include "cpu/thread_pool.h"

namespace ftwt::cpu {

constexpr float kDeadSaliency = 1e-5f;  // deadSaliency in src/ops/topKMask.ts

void top_k_mask(const TopKMaskParams& p) {
  parallel_for(p.n, 1, [&](int64_t begin, int64_t end, int) {
    RankedChannels ranked(p.c);
    for (int64_t sample = begin; sample < end; ++sample) {
      ranked.rank(p.saliency + sample * p.c);
      int64_t count = 0;
      while (count < std::min(p.count, p.c) && ranked.saliency(count) > kDeadSaliency) ++count;
      ranked.write_mask(std::max(count, p.min_active), p.mask + sample * p.c);
    }
  });
}

}  // namespace ftwt::cpu
