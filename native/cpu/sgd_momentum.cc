#include "ops/sgd_momentum.h"

#include "cpu/thread_pool.h"

namespace ftwt::cpu {
namespace {
constexpr int64_t kGrain = 16384;
}

// Five arrays pass through memory per element, so wider vectors than the baseline's would gain nothing.
void sgd_momentum(const SgdMomentumParams& p) {
  parallel_for(p.count, kGrain, [&](int64_t begin, int64_t end, int) {
#pragma GCC ivdep
    for (int64_t i = begin; i < end; ++i) {
      const float velocity = p.momentum * p.velocity[i] + p.gradient[i] + p.weight_decay * p.weight[i];
      p.new_weight[i] = p.weight[i] - p.learning_rate * velocity;
      p.new_velocity[i] = velocity;
    }
  });
}

}  // namespace ftwt::cpu
