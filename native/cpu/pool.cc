#include "ops/pool.h"

#include <algorithm>

#include "cpu/dispatch.h"
#include "cpu/thread_pool.h"

FTWT_DECLARE_KERNEL(void pool_rows(const PoolParams& params, int64_t begin, int64_t end))
FTWT_DECLARE_KERNEL(void pool_grad_image(const PoolGradParams& params, int64_t image, int64_t c_begin, int64_t c_end))

namespace ftwt::cpu {
namespace {
constexpr int64_t kGrain = 16384;
constexpr int64_t kChannelBlock = 64;
}  // namespace

void pool(const PoolParams& p) {
  const auto kernel = FTWT_KERNEL(pool_rows);
  const int64_t row_work = std::max<int64_t>(1, p.out_w * p.window_h * p.window_w * p.c);
  parallel_for(p.n * p.out_h, std::max<int64_t>(1, kGrain / row_work),
               [&](int64_t begin, int64_t end, int) { kernel(p, begin, end); });
}

// Windows may overlap, so one thread writes all of an image, or all of a block of its channels.
void pool_grad(const PoolGradParams& p) {
  const auto kernel = FTWT_KERNEL(pool_grad_image);
  const PoolParams& f = p.forward;
  const int64_t block = f.n >= thread_count() ? std::max<int64_t>(1, f.c) : kChannelBlock;
  const int64_t blocks = (f.c + block - 1) / block;
  const int64_t work = std::max<int64_t>(1, f.h * f.w * std::min(block, f.c));
  parallel_for(f.n * blocks, std::max<int64_t>(1, kGrain / work), [&](int64_t begin, int64_t end, int) {
    for (int64_t i = begin; i < end; ++i) {
      const int64_t c = i % blocks * block;
      kernel(p, i / blocks, c, std::min(c + block, f.c));
    }
  });
}

}  // namespace ftwt::cpu
