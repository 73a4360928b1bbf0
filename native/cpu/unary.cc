#include "ops/unary.h"

#include "cpu/dispatch.h"
#include "cpu/thread_pool.h"

FTWT_DECLARE_KERNEL(void unary_range(int op, const float* x, float* y, int64_t count, float alpha, float beta))

namespace ftwt::cpu {
namespace {
// 64 KiB of floats, below which a thread costs more than it saves; a quarter of that where arithmetic dominates.
constexpr int64_t kGrain = 16384;
constexpr int64_t kTranscendentalGrain = 4096;
}  // namespace

void unary(const UnaryParams& p) {
  const auto kernel = FTWT_KERNEL(unary_range);
  parallel_for(p.count, p.op >= UnaryOp::Exp ? kTranscendentalGrain : kGrain, [&](int64_t begin, int64_t end, int) {
    kernel(static_cast<int>(p.op), p.x + begin, p.y + begin, end - begin, p.alpha, p.beta);
  });
}

}  // namespace ftwt::cpu
