#include "ops/fill.h"

#include <algorithm>

#include "cpu/thread_pool.h"

namespace ftwt::cpu {

constexpr int64_t kGrain = 65536;

void fill(const FillParams& p) {
  parallel_for(p.count, kGrain, [&](int64_t begin, int64_t end, int) { std::fill(p.y + begin, p.y + end, p.value); });
}

}  // namespace ftwt::cpu
