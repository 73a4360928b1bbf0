// Division by a number that is known at the launch: a product and a shift instead of some 20 instructions.
#pragma once
#include <cuda_runtime.h>

#include <cstdint>

namespace ftwt::cuda {

// For dividends and divisors below 2^31 (Granlund and Montgomery, "Division by invariant integers", 1994).
class Divider {
 public:
  explicit Divider(int64_t divisor) : divisor_(static_cast<uint32_t>(divisor)) {
    while ((int64_t{1} << shift_) < divisor) ++shift_;
    const uint64_t excess = (uint64_t{1} << shift_) - divisor_;
    multiplier_ = static_cast<uint32_t>((excess << 32) / divisor_ + 1);
  }

  __device__ __forceinline__ uint32_t quotient(uint32_t dividend) const {
    const auto high = static_cast<uint32_t>(static_cast<uint64_t>(dividend) * multiplier_ >> 32);
    return (high + dividend) >> shift_;
  }
  __device__ __forceinline__ uint32_t divisor() const { return divisor_; }

 private:
  uint32_t divisor_;
  uint32_t multiplier_;
  uint32_t shift_ = 0;
};

}  // namespace ftwt::cuda
