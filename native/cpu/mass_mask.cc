#include "ops/mass_mask.h"

#include <algorithm>

#include "cpu/rank_channels.h"
#include "cpu/thread_pool.h"

namespace ftwt::cpu {
namespace {

constexpr double kTolerance = 1e-5;  // massTolerance in src/ops/massMask.ts

// Sums run in float32 over falling values, as in the composite of stock ops: the masks must be the same.
int64_t count_by_mass(const RankedChannels& ranked, double mass, bool include_crossing) {
  const int64_t c = ranked.size();
  float total = 0;
  for (int64_t rank = 0; rank < c; ++rank) total += ranked.saliency(rank);
  int64_t count = 0;
  if (mass == 1) {
    const float least = total * static_cast<float>(kTolerance);
    while (count < c && ranked.saliency(count) > least) ++count;
    return count;
  }
  const float most = total * static_cast<float>(mass + kTolerance);
  float before = 0;  // sum of the channels ahead of `count`
  while (count < c && ranked.saliency(count) > 0) {
    const float sum = before + ranked.saliency(count);
    if ((include_crossing ? before : sum) > most) break;
    before = sum;
    ++count;
  }
  return count;
}

}  // namespace

void mass_mask(const MassMaskParams& p) {
  if (p.mass < 0) {
    std::fill(p.mask, p.mask + p.n * p.c, 1.0f);
    return;
  }
  parallel_for(p.n, 1, [&](int64_t begin, int64_t end, int) {
    RankedChannels ranked(p.c);
    for (int64_t sample = begin; sample < end; ++sample) {
      ranked.rank(p.saliency + sample * p.c);
      const int64_t count = count_by_mass(ranked, p.mass, p.include_crossing);
      ranked.write_mask(std::max(count, p.min_active), p.mask + sample * p.c);
    }
  });
}

}  // namespace ftwt::cpu
