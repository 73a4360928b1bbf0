// One step of stochastic gradient descent with momentum and L2 weight decay.
#pragma once
#include "ops/common.h"

namespace ftwt {

// new_velocity = momentum velocity + gradient + weight_decay weight;  new_weight = weight - learning_rate new_velocity
struct SgdMomentumParams {
  const float* weight;    // [count]
  const float* gradient;  // [count]
  const float* velocity;  // [count]
  float* new_weight;      // [count], may be weight
  float* new_velocity;    // [count], may be velocity
  int64_t count;
  float learning_rate, momentum, weight_decay;
};

namespace cpu {
void sgd_momentum(const SgdMomentumParams& params);
}

namespace cuda {
void sgd_momentum(const SgdMomentumParams& params);
}

}  // namespace ftwt
