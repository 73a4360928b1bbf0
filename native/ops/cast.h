// Conversion between element types: towards zero to int32, 1 for anything but 0 (NaN included) to bool.
#pragma once
#include "ops/common.h"

namespace ftwt {

// The values are part of the binding's contract: src/backend/kernels/movement.ts lists the same names in this order.
enum class CastType : int { Float32, Int32, Bool, Count };

struct CastParams {
  const void* x;  // [count] of `from`
  void* y;        // [count] of `to`
  CastType from, to;
  int64_t count;
};

namespace cpu {
void cast(const CastParams& params);
}

namespace cuda {
void cast(const CastParams& params);
}  // namespace cuda

}  // namespace ftwt
