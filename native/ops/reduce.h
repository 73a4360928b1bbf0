// Reductions of one dimension: x [outer, reduce, inner] -> y [outer, inner].
#pragma once
#include "ops/common.h"

namespace ftwt {

// The values are part of the binding's contract: src/backend/kernels/reduce.ts uses the same order.
enum class ReduceOp : int { Sum, Max, Min, Count };

struct ReduceParams {
  ReduceOp op;
  const float* x;  // [outer, reduce, inner]
  float* y;        // [outer, inner]
  int64_t outer, reduce, inner;
  double scale;  // of the result: 1 / reduce makes a mean of a sum
};

struct ArgMaxParams {
  const float* x;  // [outer, reduce, inner], reduce >= 1
  int32_t* y;      // [outer, inner]: the first of equal maxima
  int64_t outer, reduce, inner;
};

struct SoftmaxParams {
  const float* x;  // [rows, cols]
  float* y;        // [rows, cols]
  int64_t rows, cols;
};

namespace cpu {
void reduce(const ReduceParams& params);
void arg_max(const ArgMaxParams& params);
void softmax(const SoftmaxParams& params);
}  // namespace cpu

namespace cuda {
void reduce(const ReduceParams& params);
void arg_max(const ArgMaxParams& params);
void softmax(const SoftmaxParams& params);
}  // namespace cuda

}  // namespace ftwt
