#include "ops/gather.h"

#include <algorithm>
#include <limits>

#include "cpu/thread_pool.h"

namespace ftwt::cpu {

constexpr int64_t kGrainFloats = 16384;

void gather(const GatherParams& p) {
  if (p.inner == 0) return;
  const int64_t grain = std::max<int64_t>(1, kGrainFloats / p.inner);
  parallel_for(p.outer * p.count, grain, [&](int64_t begin, int64_t end, int) {
    for (int64_t row = begin; row < end; ++row) {
      const int64_t index = p.indices[row % p.count];
      float* const y = p.y + row * p.inner;
      if (index < 0 || index >= p.size) {
        std::fill_n(y, p.inner, std::numeric_limits<float>::quiet_NaN());
      } else {
        std::copy_n(p.x + (row / p.count * p.size + index) * p.inner, p.inner, y);
      }
    }
  });
}

}  // namespace ftwt::cpu
