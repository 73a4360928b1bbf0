// Numbers written in the radices of problem.h, which advance without a division.
#pragma once
#include <cuda_runtime.h>

#include "cuda/gemm/problem.h"

namespace ftwt::cuda::gemm {

struct Digits {
  int high, middle, low;
};

__device__ __forceinline__ Digits digits_of(int64_t value, Radix radix) {
  const int64_t upper = value / radix.low;
  const int64_t high = upper / radix.middle;
  return {static_cast<int>(high), static_cast<int>(upper - high * radix.middle),
          static_cast<int>(value - upper * radix.low)};
}

__device__ __forceinline__ Digits plus(Digits a, Digits b, Radix radix) {
  a.low += b.low;
  int carry = a.low >= radix.low ? 1 : 0;
  a.low -= carry ? radix.low : 0;
  a.middle += b.middle + carry;
  carry = a.middle >= radix.middle ? 1 : 0;
  a.middle -= carry ? radix.middle : 0;
  a.high += b.high + carry;
  return a;
}

}  // namespace ftwt::cuda::gemm
