// y = value
#pragma once
#include "ops/common.h"

namespace ftwt {

struct FillParams {
  float* y;  // [count]
  int64_t count;
  float value;
};

namespace cpu {
void fill(const FillParams& params);
}

namespace cuda {
void fill(const FillParams& params);
}  // namespace cuda

}  // namespace ftwt
