// Batch normalisation over the last dimension of x [rows, c] (rows = N*H*W), with a fused activation.
//
//   y = activation((x - mean) * gamma / sqrt(variance + epsilon) + beta)
#pragma once
#include "ops/activation.h"
#include "ops/common.h"

namespace ftwt {

struct BatchNormParams {
  const float* x;         // [rows, c]
  const float* gamma;     // [c], or nullptr for 1
  const float* beta;      // [c], or nullptr for 0
  const float* mean;      // [c]
  const float* variance;  // [c]
  float* y;               // [rows, c]
  int64_t rows, c;
  float epsilon;
  Activation activation;
};

struct BatchStatisticsParams {
  const float* x;   // [rows, c], rows >= 1
  float* mean;      // [c]
  float* variance;  // [c], biased: divided by rows
  int64_t rows, c;
};

struct BatchNormGradParams {
  const float* x;         // [rows, c]
  const float* dy;        // [rows, c]
  const float* gamma;     // [c], or nullptr
  const float* beta;      // [c], or nullptr
  const float* mean;      // [c]
  const float* variance;  // [c]
  float* dx;              // [rows, c]
  float* d_gamma;         // [c]
  float* d_beta;          // [c]
  float* d_mean;          // [c], or nullptr
  float* d_variance;      // [c], or nullptr
  int64_t rows, c;
  float epsilon;
  Activation activation;
  bool training;  // mean and variance are those of x: dx takes the way through them into account
};

namespace cpu {
void batch_norm(const BatchNormParams& params);
void batch_statistics(const BatchStatisticsParams& params);
void batch_norm_grad(const BatchNormGradParams& params);
}  // namespace cpu

namespace cuda {
void batch_norm(const BatchNormParams& params);
void batch_statistics(const BatchStatisticsParams& params);
void batch_norm_grad(const BatchNormGradParams& params);
}  // namespace cuda

}  // namespace ftwt
