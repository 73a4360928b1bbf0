// Every second or fourth lane of consecutive vectors, and the way back.
#pragma once
#include "cpu/isa.h"

namespace ftwt::FTWT_ISA {
namespace {

#if defined(__clang__)
#define FTWT_SHUFFLE(a, b, ...) __builtin_shufflevector(a, b, __VA_ARGS__)
#else
#define FTWT_SHUFFLE(a, b, ...) __builtin_shuffle(a, b, IVec{__VA_ARGS__})
#endif

#if defined(FTWT_ISA_avx512)
FTWT_INLINE Vec even_lanes(Vec a, Vec b) {
  return FTWT_SHUFFLE(a, b, 0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
}
FTWT_INLINE Vec odd_lanes(Vec a, Vec b) {
  return FTWT_SHUFFLE(a, b, 1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31);
}
FTWT_INLINE Vec zip_low(Vec a, Vec b) {
  return FTWT_SHUFFLE(a, b, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
}
FTWT_INLINE Vec zip_high(Vec a, Vec b) {
  return FTWT_SHUFFLE(a, b, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
}
#elif !defined(FTWT_ISA_avx2)
FTWT_INLINE Vec even_lanes(Vec a, Vec b) { return FTWT_SHUFFLE(a, b, 0, 2, 4, 6); }
FTWT_INLINE Vec odd_lanes(Vec a, Vec b) { return FTWT_SHUFFLE(a, b, 1, 3, 5, 7); }
FTWT_INLINE Vec zip_low(Vec a, Vec b) { return FTWT_SHUFFLE(a, b, 0, 4, 1, 5); }
FTWT_INLINE Vec zip_high(Vec a, Vec b) { return FTWT_SHUFFLE(a, b, 2, 6, 3, 7); }
#endif

// The same in the order that costs one instruction (`turn` is what puts even_turned() right), for chains of operations
// that are put in order once, at their end.
#if defined(FTWT_ISA_avx512)
FTWT_INLINE Vec even_turned(Vec a, Vec b) {
  return FTWT_SHUFFLE(a, b, 0, 2, 16, 18, 4, 6, 20, 22, 8, 10, 24, 26, 12, 14, 28, 30);
}
FTWT_INLINE Vec odd_turned(Vec a, Vec b) {
  return FTWT_SHUFFLE(a, b, 1, 3, 17, 19, 5, 7, 21, 23, 9, 11, 25, 27, 13, 15, 29, 31);
}
FTWT_INLINE Vec turn(Vec v) { return FTWT_SHUFFLE(v, v, 0, 1, 4, 5, 8, 9, 12, 13, 2, 3, 6, 7, 10, 11, 14, 15); }
#elif defined(FTWT_ISA_avx2)
FTWT_INLINE Vec even_turned(Vec a, Vec b) { return FTWT_SHUFFLE(a, b, 0, 2, 8, 10, 4, 6, 12, 14); }
FTWT_INLINE Vec odd_turned(Vec a, Vec b) { return FTWT_SHUFFLE(a, b, 1, 3, 9, 11, 5, 7, 13, 15); }
FTWT_INLINE Vec turn(Vec v) { return FTWT_SHUFFLE(v, v, 0, 1, 4, 5, 2, 3, 6, 7); }
// Two instructions, where compilers find three for the whole.
FTWT_INLINE Vec even_lanes(Vec a, Vec b) { return turn(even_turned(a, b)); }
FTWT_INLINE Vec odd_lanes(Vec a, Vec b) { return turn(odd_turned(a, b)); }
// What zips each half on its own, and the halves of two such.
FTWT_INLINE Vec halves_low(Vec a, Vec b) { return FTWT_SHUFFLE(a, b, 0, 8, 1, 9, 4, 12, 5, 13); }
FTWT_INLINE Vec halves_high(Vec a, Vec b) { return FTWT_SHUFFLE(a, b, 2, 10, 3, 11, 6, 14, 7, 15); }
FTWT_INLINE Vec first_halves(Vec a, Vec b) { return FTWT_SHUFFLE(a, b, 0, 1, 2, 3, 8, 9, 10, 11); }
FTWT_INLINE Vec second_halves(Vec a, Vec b) { return FTWT_SHUFFLE(a, b, 4, 5, 6, 7, 12, 13, 14, 15); }
// Each half as a square of four rows, turned.
FTWT_INLINE void transpose_halves(Vec (&rows)[4]) {
  const Vec low01 = halves_low(rows[0], rows[1]), high01 = halves_high(rows[0], rows[1]);
  const Vec low23 = halves_low(rows[2], rows[3]), high23 = halves_high(rows[2], rows[3]);
  rows[0] = FTWT_SHUFFLE(low01, low23, 0, 1, 8, 9, 4, 5, 12, 13);
  rows[1] = FTWT_SHUFFLE(low01, low23, 2, 3, 10, 11, 6, 7, 14, 15);
  rows[2] = FTWT_SHUFFLE(high01, high23, 0, 1, 8, 9, 4, 5, 12, 13);
  rows[3] = FTWT_SHUFFLE(high01, high23, 2, 3, 10, 11, 6, 7, 14, 15);
}
#else
FTWT_INLINE Vec even_turned(Vec a, Vec b) { return even_lanes(a, b); }
FTWT_INLINE Vec odd_turned(Vec a, Vec b) { return odd_lanes(a, b); }
FTWT_INLINE Vec turn(Vec v) { return v; }
#endif

// part[j] = lanes j, j + Step, j + 2 Step ... of Step vectors from p, Step 2 or 4.
template <int Step>
FTWT_INLINE void load_interleaved(const float* p, Vec (&part)[Step]) {
  if constexpr (Step == 2) {
    const Vec a = load(p), b = load(p + kLanes);
    part[0] = even_lanes(a, b);
    part[1] = odd_lanes(a, b);
  } else {
    const Vec a = load(p), b = load(p + kLanes), c = load(p + 2 * kLanes), d = load(p + 3 * kLanes);
#if defined(FTWT_ISA_avx2)
    part[0] = first_halves(a, c);
    part[1] = second_halves(a, c);
    part[2] = first_halves(b, d);
    part[3] = second_halves(b, d);
    transpose_halves(part);
#else
    const Vec even_ab = even_lanes(a, b), odd_ab = odd_lanes(a, b);
    const Vec even_cd = even_lanes(c, d), odd_cd = odd_lanes(c, d);
    part[0] = even_lanes(even_ab, even_cd);
    part[2] = odd_lanes(even_ab, even_cd);
    part[1] = even_lanes(odd_ab, odd_cd);
    part[3] = odd_lanes(odd_ab, odd_cd);
#endif
  }
}

// The way back: Step vectors of consecutive lanes.
template <int Step>
FTWT_INLINE void interleave(const Vec (&part)[Step], Vec (&lanes)[Step]) {
#if defined(FTWT_ISA_avx2)
  if constexpr (Step == 2) {
    const Vec low = halves_low(part[0], part[1]), high = halves_high(part[0], part[1]);
    lanes[0] = first_halves(low, high);
    lanes[1] = second_halves(low, high);
  } else {
    Vec rows[4] = {part[0], part[1], part[2], part[3]};
    transpose_halves(rows);
    lanes[0] = first_halves(rows[0], rows[1]);
    lanes[1] = first_halves(rows[2], rows[3]);
    lanes[2] = second_halves(rows[0], rows[1]);
    lanes[3] = second_halves(rows[2], rows[3]);
  }
#else
  if constexpr (Step == 2) {
    lanes[0] = zip_low(part[0], part[1]);
    lanes[1] = zip_high(part[0], part[1]);
  } else {
    const Vec low_02 = zip_low(part[0], part[2]), low_13 = zip_low(part[1], part[3]);
    const Vec high_02 = zip_high(part[0], part[2]), high_13 = zip_high(part[1], part[3]);
    lanes[0] = zip_low(low_02, low_13);
    lanes[1] = zip_high(low_02, low_13);
    lanes[2] = zip_low(high_02, high_13);
    lanes[3] = zip_high(high_02, high_13);
  }
#endif
}

// Lane i: all lanes of vectors[i] by `op`, of as many vectors as there are lanes.
template <int count, typename Op>
FTWT_INLINE Vec reduce_lanes(const Vec* vectors, const Op& op) {
  if constexpr (count == 1) {
    return vectors[0];
  } else {
    const Vec a = reduce_lanes<count / 2>(vectors, op), b = reduce_lanes<count / 2>(vectors + count / 2, op);
    return op(even_lanes(a, b), odd_lanes(a, b));
  }
}

}  // namespace
}  // namespace ftwt::FTWT_ISA
