#include "ops/unary.h"

#include <math.h>

#include "cpu/isa.h"
#include "cpu/math.h"

namespace ftwt::FTWT_ISA {
namespace {

// For functions that the compiler vectorises by itself.
template <typename Function>
FTWT_INLINE void map(const float* x, float* y, int64_t count, Function function) {
#pragma GCC ivdep
  for (int64_t i = 0; i < count; ++i) y[i] = function(x[i]);
}

template <typename Function>
FTWT_INLINE void map_vec(const float* x, float* y, int64_t count, Function function) {
  int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes) store(y + i, function(load(x + i)));
  if (i < count) store_partial(y + i, function(load_partial(x + i, count - i)), count - i);
}

}  // namespace

// Comparisons are written so that NaN passes, as in tfjs.
void unary_range(int op, const float* x, float* y, int64_t count, float alpha, float beta) {
  switch (static_cast<UnaryOp>(op)) {
    case UnaryOp::Relu: return map(x, y, count, [](float v) { return v < 0 ? 0.0f : v; });
    case UnaryOp::Relu6: return map(x, y, count, [](float v) { return v < 0 ? 0.0f : v > 6 ? 6.0f : v; });
    case UnaryOp::Step: return map(x, y, count, [=](float v) { return v > 0 ? 1.0f : v <= 0 ? alpha : v; });
    case UnaryOp::ClipByValue:
      return map(x, y, count, [=](float v) { return v > beta ? beta : v < alpha ? alpha : v; });
    case UnaryOp::LeakyRelu: return map(x, y, count, [=](float v) { return v < 0 ? alpha * v : v; });
    case UnaryOp::Elu: return map_vec(x, y, count, [](Vec v) { return select(v >= 0.0f, v, vexpm1_negative(v)); });
    case UnaryOp::Neg: return map(x, y, count, [](float v) { return -v; });
    case UnaryOp::Abs: return map(x, y, count, [](float v) { return fabsf(v); });
    case UnaryOp::Square: return map(x, y, count, [](float v) { return v * v; });
    case UnaryOp::Sqrt: return map(x, y, count, [](float v) { return sqrtf(v); });
    case UnaryOp::Rsqrt: return map(x, y, count, [](float v) { return 1.0f / sqrtf(v); });
    case UnaryOp::Reciprocal: return map(x, y, count, [](float v) { return 1.0f / v; });
    case UnaryOp::Floor: return map(x, y, count, [](float v) { return floorf(v); });
    case UnaryOp::Exp: return map_vec(x, y, count, [](Vec v) { return vexp(v); });
    case UnaryOp::Log: return map_vec(x, y, count, [](Vec v) { return vlog(v); });
    case UnaryOp::Log1p: return map_vec(x, y, count, [](Vec v) { return vlog1p(v); });
    case UnaryOp::Sigmoid: return map_vec(x, y, count, [](Vec v) { return vsigmoid(v); });
    case UnaryOp::Tanh: return map_vec(x, y, count, [](Vec v) { return vtanh(v); });
    case UnaryOp::Softplus: return map_vec(x, y, count, [](Vec v) { return vsoftplus(v); });
    case UnaryOp::Count: return;
  }
}

}  // namespace ftwt::FTWT_ISA
