// Element-wise functions of one float tensor.
#pragma once
#include "ops/common.h"

namespace ftwt {

// The values are part of the binding's contract: src/backend/kernels/unary.ts lists the same names in this order.
enum class UnaryOp : int { Relu, Relu6, Step, Count };

struct UnaryParams {
  UnaryOp op;
  const float* x;  // [count]
  float* y;        // [count]
  int64_t count;
  float alpha;  // Step: the value below 0
};

namespace cpu {
void unary(const UnaryParams& params);
}

}  // namespace ftwt
