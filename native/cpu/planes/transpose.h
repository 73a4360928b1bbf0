// Squares of vectors, turned: kLanes of them, or four quads.
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

// Four lanes, whatever the instruction set.
typedef float Quad __attribute__((vector_size(16)));
typedef float QuadU __attribute__((vector_size(16), aligned(4), may_alias));

FTWT_INLINE Quad load_quad(const float* p) { return *reinterpret_cast<const QuadU*>(p); }
FTWT_INLINE void store_quad(float* p, Quad v) { *reinterpret_cast<QuadU*>(p) = v; }

#if defined(__clang__)
#define FTWT_SHUFFLE_QUADS(a, b, ...) __builtin_shufflevector(a, b, __VA_ARGS__)
#else
typedef int32_t QuadIndex __attribute__((vector_size(16)));
#define FTWT_SHUFFLE_QUADS(a, b, ...) __builtin_shuffle(a, b, QuadIndex{__VA_ARGS__})
#endif

FTWT_INLINE Quad zip_quads_low(Quad a, Quad b) { return FTWT_SHUFFLE_QUADS(a, b, 0, 4, 1, 5); }
FTWT_INLINE Quad zip_quads_high(Quad a, Quad b) { return FTWT_SHUFFLE_QUADS(a, b, 2, 6, 3, 7); }

FTWT_INLINE void transpose_quads(Quad (&rows)[4]) {
  const Quad low01 = zip_quads_low(rows[0], rows[1]), high01 = zip_quads_high(rows[0], rows[1]);
  const Quad low23 = zip_quads_low(rows[2], rows[3]), high23 = zip_quads_high(rows[2], rows[3]);
  rows[0] = FTWT_SHUFFLE_QUADS(low01, low23, 0, 1, 4, 5);
  rows[1] = FTWT_SHUFFLE_QUADS(low01, low23, 2, 3, 6, 7);
  rows[2] = FTWT_SHUFFLE_QUADS(high01, high23, 0, 1, 4, 5);
  rows[3] = FTWT_SHUFFLE_QUADS(high01, high23, 2, 3, 6, 7);
}

}  // namespace
}  // namespace ftwt::FTWT_ISA
