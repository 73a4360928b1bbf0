// Element-wise functions of one float tensor.
#pragma once
#include "ops/common.h"

namespace ftwt {

// The values are part of the binding's contract: src/backend/kernels/unary.ts lists the same names in this order.
enum class UnaryOp : int {
  Relu,
  Relu6,
  Step,         // x > 0 ? 1 : alpha
  ClipByValue,  // to [alpha, beta]
  LeakyRelu,    // x < 0 ? alpha x : x
  Elu,
  Neg,
  Abs,
  Square,
  Sqrt,
  Rsqrt,
  Reciprocal,
  Floor,
  Exp,
  Log,
  Log1p,
  Sigmoid,
  Tanh,
  Softplus,  // log(1 + exp(x))
  Count
};

struct UnaryParams {
  UnaryOp op;
  const float* x;  // [count]
  float* y;        // [count], may be x
  int64_t count;
  float alpha;
  float beta;
};

namespace cpu {
void unary(const UnaryParams& params);
}

namespace cuda {
void unary(const UnaryParams& params);
}

}  // namespace ftwt
