#include "ops/reduce.h"

#include <algorithm>
#include <limits>
#include <vector>

#include "cpu/dispatch.h"
#include "cpu/thread_pool.h"

FTWT_DECLARE_KERNEL(double reduce_span(int op, const float* x, int64_t count))
FTWT_DECLARE_KERNEL(void reduce_columns(int op, const float* x, int64_t rows, int64_t cols, int64_t stride,
                                        double* acc))
FTWT_DECLARE_KERNEL(void softmax_rows(const float* x, float* y, int64_t rows, int64_t cols))

namespace ftwt::cpu {
namespace {

constexpr int64_t kGrain = 16384;

int64_t grain_of(int64_t work_per_item) { return std::max<int64_t>(1, kGrain / std::max<int64_t>(1, work_per_item)); }

double identity(ReduceOp op) {
  const double infinity = std::numeric_limits<double>::infinity();
  return op == ReduceOp::Sum ? 0 : op == ReduceOp::Max ? -infinity : infinity;
}

double combine(ReduceOp op, double a, double b) {
  if (op == ReduceOp::Sum) return a + b;
  return (op == ReduceOp::Max ? b > a : b < a) || b != b ? b : a;
}

// One outer index, with the reduced dimension split over the threads.
void reduce_split(const ReduceParams& p, const float* x, float* y) {
  const int op = static_cast<int>(p.op);
  std::vector<double> partial(static_cast<std::size_t>(thread_count() * p.inner), identity(p.op));
  const auto span = FTWT_KERNEL(reduce_span);
  const auto columns = FTWT_KERNEL(reduce_columns);
  parallel_for(p.reduce, grain_of(p.inner), [&](int64_t begin, int64_t end, int thread) {
    double* acc = partial.data() + thread * p.inner;
    if (p.inner == 1) {
      *acc = span(op, x + begin, end - begin);
    } else {
      columns(op, x + begin * p.inner, end - begin, p.inner, p.inner, acc);
    }
  });
  for (int64_t c = 0; c < p.inner; ++c) {
    double total = partial[c];
    for (int t = 1; t < thread_count(); ++t) total = combine(p.op, total, partial[t * p.inner + c]);
    y[c] = static_cast<float>(total * p.scale);
  }
}

// One outer index, with the columns split over the threads.
void reduce_wide(const ReduceParams& p, const float* x, float* y) {
  const auto columns = FTWT_KERNEL(reduce_columns);
  parallel_for(p.inner, grain_of(p.reduce), [&](int64_t begin, int64_t end, int) {
    std::vector<double> acc(static_cast<std::size_t>(end - begin), identity(p.op));
    columns(static_cast<int>(p.op), x + begin, p.reduce, end - begin, p.inner, acc.data());
    for (int64_t c = begin; c < end; ++c) y[c] = static_cast<float>(acc[c - begin] * p.scale);
  });
}

}  // namespace

void reduce(const ReduceParams& p) {
  const int64_t plane = p.reduce * p.inner;
  if (p.outer < thread_count() && plane > kGrain) {
    for (int64_t o = 0; o < p.outer; ++o) {
      (p.inner > p.reduce ? reduce_wide : reduce_split)(p, p.x + o * plane, p.y + o * p.inner);
    }
    return;
  }
  const int op = static_cast<int>(p.op);
  const auto span = FTWT_KERNEL(reduce_span);
  const auto columns = FTWT_KERNEL(reduce_columns);
  parallel_for(p.outer, grain_of(plane), [&](int64_t begin, int64_t end, int) {
    std::vector<double> acc(static_cast<std::size_t>(p.inner));
    for (int64_t o = begin; o < end; ++o) {
      if (p.inner == 1) {
        p.y[o] = static_cast<float>(span(op, p.x + o * plane, p.reduce) * p.scale);
        continue;
      }
      std::fill(acc.begin(), acc.end(), identity(p.op));
      columns(op, p.x + o * plane, p.reduce, p.inner, p.inner, acc.data());
      for (int64_t c = 0; c < p.inner; ++c) p.y[o * p.inner + c] = static_cast<float>(acc[c] * p.scale);
    }
  });
}

void arg_max(const ArgMaxParams& p) {
  parallel_for(p.outer * p.inner, grain_of(p.reduce), [&](int64_t begin, int64_t end, int) {
    for (int64_t i = begin; i < end; ++i) {
      const float* x = p.x + i / p.inner * p.reduce * p.inner + i % p.inner;
      float top = x[0];
      int32_t index = 0;
      for (int64_t r = 1; r < p.reduce; ++r) {
        if (x[r * p.inner] > top) {
          top = x[r * p.inner];
          index = static_cast<int32_t>(r);
        }
      }
      p.y[i] = index;
    }
  });
}

void softmax(const SoftmaxParams& p) {
  const auto kernel = FTWT_KERNEL(softmax_rows);
  parallel_for(p.rows, grain_of(8 * p.cols), [&](int64_t begin, int64_t end, int) {
    kernel(p.x + begin * p.cols, p.y + begin * p.cols, end - begin, p.cols);
  });
}

}  // namespace ftwt::cpu
