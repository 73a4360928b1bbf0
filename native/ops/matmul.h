// Batched matrix product (tfjs BatchMatMul, _FusedMatMul).
#pragma once
#include "ops/activation.h"
#include "ops/common.h"

namespace ftwt {

// y[i] = activation(a[i % a_batch] * b[i % b_batch] + bias), for i < batch.
struct MatmulParams {
  int64_t batch, m, k, n;
  int64_t a_batch, b_batch;  // >= 1 where batch >= 1
  bool transpose_a, transpose_b;
  const float* a;     // [a_batch, m, k], or [a_batch, k, m] with transpose_a
  const float* b;     // [b_batch, k, n], or [b_batch, n, k] with transpose_b
  const float* bias;  // [n], or nullptr
  Activation activation;
  float* y;  // [batch, m, n]
};

namespace cpu {
void matmul(const MatmulParams& params);
}

namespace cuda {
void matmul(const MatmulParams& params);
}

}  // namespace ftwt
