// Copies between strided arrays: slice, pad, concatenate, tile and transpose are all this.
#pragma once
#include "ops/strided.h"

namespace ftwt {

struct CopyParams {
  StridedDims dims;  // a: of x, b: of y
  const float* x;
  float* y;  // does not overlap x; no element is written twice
};

namespace cpu {
void copy(const CopyParams& params);
}

namespace cuda {
void copy(const CopyParams& params);
}

}  // namespace ftwt
