// Elementary functions of Vec, within 2 ulp over the whole range; NaN, infinities and subnormals as in Math.*.
// Polynomials and reductions after S. Moshier's Cephes library (single precision).
#pragma once
#include "cpu/isa.h"

namespace ftwt::FTWT_ISA {

FTWT_INLINE Vec as_float(IVec v) { return reinterpret_cast<Vec>(v); }
FTWT_INLINE IVec as_int(Vec v) { return reinterpret_cast<IVec>(v); }
FTWT_INLINE IVec isplat(int32_t x) { return x - IVec{}; }
FTWT_INLINE Vec vabs(Vec v) { return as_float(as_int(v) & 0x7fffffff); }
FTWT_INLINE Vec copy_sign(Vec magnitude, Vec sign) {
  return as_float((as_int(magnitude) & 0x7fffffff) | (as_int(sign) & isplat(INT32_MIN)));
}

// 2^n for n in [-126, 127].
FTWT_INLINE Vec exp2_int(IVec n) { return as_float((n + 127) << 23); }

// x = n ln 2 + r with |r| <= ln 2 / 2; returns exp(r) - 1. x must lie within [-105, 90].
FTWT_INLINE Vec reduced_expm1(Vec x, IVec* n) {
  const Vec magic = splat(12582912.0f);  // 1.5 * 2^23: adding it rounds to an integer
  const Vec rounded = x * 1.44269504f + magic;
  *n = as_int(rounded) - as_int(magic);
  const Vec k = to_float(*n);
  Vec r = x - k * 0.693359375f;
  r = r - k * -2.12194440e-4f;
  Vec p = splat(1.9875691500e-4f);
  p = p * r + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  return p * r * r + r;
}

FTWT_INLINE Vec vexp(Vec x) {
  IVec n;
  const Vec e = reduced_expm1(vmin(vmax(x, splat(-105.0f)), splat(90.0f)), &n) + 1.0f;
  // Two factors, because 2^n alone is out of range near overflow and for subnormal results.
  const IVec half = n >> 1;
  Vec y = e * exp2_int(half) * exp2_int(n - half);
  y = select(x > 88.72284f, splat(__builtin_inff()), y);
  return select(x == x, y, x);
}

// exp(x) - 1 without cancellation, for x <= 0 (NaN passes).
FTWT_INLINE Vec vexpm1_negative(Vec x) {
  IVec n;
  const Vec p = reduced_expm1(vmin(vmax(x, splat(-80.0f)), Vec{}), &n);
  const Vec power = exp2_int(n);
  return select(x == x, p * power + (power - 1.0f), x);
}

FTWT_INLINE Vec vlog(Vec x) {
  const IVec subnormal = x < 1.17549435e-38f;
  const Vec scaled = select(subnormal, x * 8388608.0f, x);
  const IVec bits = as_int(scaled);
  IVec exponent = ((bits >> 23) & 0xff) - 126 - (subnormal & 23);
  Vec m = as_float((bits & 0x007fffff) | 0x3f000000);  // [0.5, 1)
  const IVec low = m < 0.70710678f;
  exponent += low;  // a comparison gives -1
  m = select(low, m + m, m) - 1.0f;
  Vec p = splat(7.0376836292e-2f);
  p = p * m + -1.1514610310e-1f;
  p = p * m + 1.1676998740e-1f;
  p = p * m + -1.2420140846e-1f;
  p = p * m + 1.4249322787e-1f;
  p = p * m + -1.6668057665e-1f;
  p = p * m + 2.0000714765e-1f;
  p = p * m + -2.4999993993e-1f;
  p = p * m + 3.3333331174e-1f;
  const Vec square = m * m;
  const Vec k = to_float(exponent);
  Vec y = p * m * square;
  y = y + k * -2.12194440e-4f;
  y = y - square * 0.5f;
  y = m + y + k * 0.693359375f;
  const Vec infinity = splat(__builtin_inff());
  y = select(x == infinity, infinity, y);
  y = select(x == 0.0f, -infinity, y);
  return select((x < 0.0f) | (x != x), splat(__builtin_nanf("")), y);
}

// Kahan: log(1 + x) x / ((1 + x) - 1) cancels the rounding of 1 + x.
FTWT_INLINE Vec vlog1p(Vec x) {
  const Vec u = x + 1.0f;
  const Vec y = vlog(u) * (x / (u - 1.0f));
  return select((u == 1.0f) | (x == __builtin_inff()), x, y);
}

FTWT_INLINE Vec vsigmoid(Vec x) {
  const Vec e = vexp(-vabs(x));
  const Vec y = select(x < 0.0f, e, splat(1.0f)) / (e + 1.0f);
  return select(x == x, y, x);
}

// Without overflow, and without cancellation for very negative x.
FTWT_INLINE Vec vsoftplus(Vec x) {
  const Vec y = vmax(x, Vec{}) + vlog1p(vexp(-vabs(x)));
  return select(x == x, y, x);
}

FTWT_INLINE Vec vtanh(Vec x) {
  const Vec a = vabs(x);
  const Vec z = x * x;
  Vec p = splat(-5.70498872745e-3f);
  p = p * z + 2.06390887954e-2f;
  p = p * z + -5.37397155531e-2f;
  p = p * z + 1.33314422036e-1f;
  p = p * z + -3.33332819422e-1f;
  const Vec small = p * z * x + x;
  const Vec large = copy_sign(1.0f - 2.0f / (vexp(vmin(a, splat(20.0f)) * 2.0f) + 1.0f), x);
  return select(x == x, select(a < 0.625f, small, large), x);
}

}  // namespace ftwt::FTWT_ISA
