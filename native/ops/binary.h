// Element-wise functions of two float tensors, with broadcasting.
#pragma once
#include "ops/strided.h"

namespace ftwt {

// The values are part of the binding's contract: src/backend/kernels/binary.ts lists the same names in this order.
enum class BinaryOp : int {
  Add,
  Sub,
  Multiply,
  RealDiv,
  Maximum,
  Minimum,
  SquaredDifference,
  ReluGrad,  // a = dy where b = x is above 0
  FloatCount,
  Greater = FloatCount,  // from here on the result is 0 or 1 in a byte
  GreaterEqual,
  Less,
  LessEqual,
  Equal,
  NotEqual,
  Count
};

struct BinaryParams {
  BinaryOp op;
  StridedDims dims;  // of a and b; the innermost strides are 0 or 1
  const float* a;
  const float* b;
  void*
      y;  // [dims], contiguous: float, or uint8_t for comparisons. A float y may be a or b where nothing is broadcast.
};

// y = condition ? t : e
struct SelectParams {
  const uint8_t* condition;  // [count]
  const float* t;            // [count]
  const float* e;            // [count]
  float* y;                  // [count]
  int64_t count;
};

// y = a && b
struct LogicalAndParams {
  const uint8_t* a;  // [count]
  const uint8_t* b;  // [count]
  uint8_t* y;        // [count]
  int64_t count;
};

namespace cpu {
void binary(const BinaryParams& params);
void select(const SelectParams& params);
void logical_and(const LogicalAndParams& params);
}  // namespace cpu

namespace cuda {
void binary(const BinaryParams& params);
void select(const SelectParams& params);
void logical_and(const LogicalAndParams& params);
}  // namespace cuda

}  // namespace ftwt
