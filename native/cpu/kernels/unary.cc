#include "ops/unary.h"

#include <math.h>

#include "cpu/isa.h"

namespace ftwt::FTWT_ISA {
namespace {

template <typename Function>
FTWT_INLINE void map(const float* x, float* y, int64_t count, Function function) {
  for (int64_t i = 0; i < count; ++i) y[i] = function(x[i]);
}

}  // namespace

void unary_range(int op, const float* x, float* y, int64_t count, float alpha) {
  switch (static_cast<UnaryOp>(op)) {
    case UnaryOp::Relu:  // NaN passes, as in tfjs
      return map(x, y, count, [](float v) { return v < 0 ? 0.0f : v; });
    case UnaryOp::Relu6: return map(x, y, count, [](float v) { return v < 0 ? 0.0f : v > 6 ? 6.0f : v; });
    case UnaryOp::Step: return map(x, y, count, [alpha](float v) { return v > 0 ? 1.0f : v <= 0 ? alpha : v; });
    default: return;
  }
}

}  // namespace ftwt::FTWT_ISA
