#include "ops/unary.h"

#include "cpu/dispatch.h"
#include "cpu/thread_pool.h"

FTWT_DECLARE_KERNEL(void unary_range(int op, const float* x, float* y, int64_t count, float alpha))

namespace ftwt::cpu {

// 64 KiB of floats: below that a thread costs more than it saves.
constexpr int64_t kGrain = 16384;

void unary(const UnaryParams& p) {
  const auto kernel = FTWT_KERNEL(unary_range);
  parallel_for(p.count, kGrain, [&](int64_t begin, int64_t end, int) {
    kernel(static_cast<int>(p.op), p.x + begin, p.y + begin, end - begin, p.alpha);
  });
}

}  // namespace ftwt::cpu
