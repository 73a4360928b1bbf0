// Conversions between element types, 2 to 8 bytes per element. See map.cuh.
#include "ops/cast.h"

#include "cuda/map.cuh"

namespace ftwt::cuda {
namespace {

__device__ float to_float(float v) { return v; }
__device__ float to_float(int32_t v) { return static_cast<float>(v); }
__device__ float to_float(uint8_t v) { return v; }
// As the CPU op: wraps around modulo 2^32, NaN and infinities become 0. From 2^63 on a float is a multiple of 2^32.
__device__ int32_t to_int32(float v) {
  return fabsf(v) < 9.2e18f ? static_cast<int32_t>(static_cast<uint32_t>(static_cast<int64_t>(v))) : 0;
}
__device__ int32_t to_int32(int32_t v) { return v; }
__device__ int32_t to_int32(uint8_t v) { return v; }

template <typename From>
struct ToFloat {
  const From* x;
  __device__ float operator()(int64_t i) const { return to_float(x[i]); }
};

template <typename From>
struct ToInt {
  const From* x;
  __device__ int32_t operator()(int64_t i) const { return to_int32(x[i]); }
};

template <typename From>
struct ToBool {
  const From* x;
  __device__ uint8_t operator()(int64_t i) const { return x[i] != From{0}; }
};

template <typename From>
void cast_from(const CastParams& p) {
  const auto* x = static_cast<const From*>(p.x);
  switch (p.to) {
    case CastType::Float32: return map(static_cast<float*>(p.y), p.count, ToFloat<From>{x});
    case CastType::Int32: return map(static_cast<int32_t*>(p.y), p.count, ToInt<From>{x});
    default: return map(static_cast<uint8_t*>(p.y), p.count, ToBool<From>{x});
  }
}

}  // namespace

void cast(const CastParams& p) {
  switch (p.from) {
    case CastType::Float32: return cast_from<float>(p);
    case CastType::Int32: return cast_from<int32_t>(p);
    default: return cast_from<uint8_t>(p);
  }
}

}  // namespace ftwt::cuda
