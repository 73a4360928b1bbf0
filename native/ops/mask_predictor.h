// The predictor's head: pooling over the pixels, softmax over c_in, dense layer; and its gradient for x.
#pragma once
#include "ops/common.h"

namespace ftwt {

struct MaskPredictorParams {
  const float* x;        // [n, pixels, c_in]
  const float* weights;  // [c_in, c_out]
  const float* bias;     // [c_out]
  float* mask_logits;    // [n, c_out]
  float* features;       // [n, c_in], what the dense layer saw
  int64_t n, pixels, c_in, c_out;
  bool average;  // else maximum
  bool softmax;
};

struct MaskPredictorBackpropInputParams {
  const float* dy;        // [n, c_out]
  const float* x;         // [n, pixels, c_in]
  const float* weights;   // [c_in, c_out]
  const float* features;  // [n, c_in]
  float* dx;              // [n, pixels, c_in]
  int64_t n, pixels, c_in, c_out;
  bool average;
  bool softmax;
};

namespace cpu {
void mask_predictor(const MaskPredictorParams& params);
void mask_predictor_backprop_input(const MaskPredictorBackpropInputParams& params);
}  // namespace cpu

namespace cuda {
void mask_predictor(const MaskPredictorParams& params);
void mask_predictor_backprop_input(const MaskPredictorBackpropInputParams& params);
}  // namespace cuda

}  // namespace ftwt
