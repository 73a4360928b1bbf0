// A part of CUDA's half precision: storage and conversions. Arithmetic is done in float.
#pragma once
#include "emulator/half_bits.h"
#include "emulator/vector_types.h"

struct __half {
  unsigned short bits;
};
struct __half2 {
  __half x, y;
};
using half = __half;
using half2 = __half2;

inline __half __float2half(float value) { return {ftwt::emulator::float_to_half(value)}; }
inline __half __float2half_rn(float value) { return __float2half(value); }
inline float __half2float(__half value) { return ftwt::emulator::half_to_float(value.bits); }
inline __half2 __floats2half2_rn(float x, float y) { return {__float2half(x), __float2half(y)}; }
inline __half2 __halves2half2(__half x, __half y) { return {x, y}; }
inline float2 __half22float2(__half2 value) { return {__half2float(value.x), __half2float(value.y)}; }
inline unsigned short __half_as_ushort(__half value) { return value.bits; }
inline __half __ushort_as_half(unsigned short bits) { return {bits}; }
