// kLanes vectors as a square, turned.
#pragma once
#include "cpu/planes/deinterleave.h"

namespace ftwt::FTWT_ISA {
namespace {

// Swaps the off-diagonal halves of each square of 2 * Half lanes, in rows r and r + Half.
template <int Half>
FTWT_INLINE void swap_halves(Vec& upper, Vec& lower) {
  IVec from_upper, from_lower;
#pragma GCC unroll 16
  for (int lane = 0; lane < kLanes; ++lane) {
    const bool second = (lane & Half) != 0;
    from_upper[lane] = second ? kLanes + lane - Half : lane;
    from_lower[lane] = second ? kLanes + lane : lane + Half;
  }
#if defined(__clang__)
  Vec a, b;
  for (int lane = 0; lane < kLanes; ++lane) {
    a[lane] = from_upper[lane] < kLanes ? upper[from_upper[lane]] : lower[from_upper[lane] - kLanes];
    b[lane] = from_lower[lane] < kLanes ? upper[from_lower[lane]] : lower[from_lower[lane] - kLanes];
  }
#else
  const Vec a = __builtin_shuffle(upper, lower, from_upper);
  const Vec b = __builtin_shuffle(upper, lower, from_lower);
#endif
  upper = a;
  lower = b;
}

template <int Half = kLanes / 2>
FTWT_INLINE void transpose(Vec (&rows)[kLanes]) {
#pragma GCC unroll 16
  for (int r = 0; r < kLanes; ++r) {
    if ((r & Half) == 0) swap_halves<Half>(rows[r], rows[r + Half]);
  }
  if constexpr (Half > 1) transpose<Half / 2>(rows);
}

}  // namespace
}  // namespace ftwt::FTWT_ISA
