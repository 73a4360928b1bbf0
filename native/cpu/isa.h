// Included by every source that is compiled once per instruction set (native/cpu/kernels).
//
// Such a source defines its functions in `namespace ftwt::FTWT_ISA`, where FTWT_ISA is baseline, avx2 or avx512.
// It must not emit anything the linker may merge with code of another instruction set: no std containers or
// algorithms, no exceptions, every helper `static` or in an anonymous namespace. test/package/isa.test.ts holds this.
//
// Vec is the widest float vector of the instruction set (GCC/Clang vector extension: + - * / < ?: work on it).
#pragma once
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#if defined(FTWT_ISA_avx512) || defined(FTWT_ISA_avx2)
#include <immintrin.h>
#endif

#ifndef FTWT_ISA
#error "compile this file through FTWT_ISA_SOURCES in CMakeLists.txt"
#endif

#define FTWT_INLINE static inline __attribute__((always_inline, unused))

namespace ftwt::FTWT_ISA {

#if defined(FTWT_ISA_avx512)
constexpr int kLanes = 16;
#elif defined(FTWT_ISA_avx2)
constexpr int kLanes = 8;
#else
constexpr int kLanes = 4;  // SSE2 on x86-64, NEON on aarch64
#endif

typedef float Vec __attribute__((vector_size(kLanes * 4)));
typedef int32_t IVec __attribute__((vector_size(kLanes * 4)));  // also what comparisons of Vec give: -1 or 0 per lane
typedef float VecU __attribute__((vector_size(kLanes * 4), aligned(4), may_alias));
typedef int32_t IVecU __attribute__((vector_size(kLanes * 4), aligned(4), may_alias));

FTWT_INLINE Vec load(const float* p) { return *reinterpret_cast<const VecU*>(p); }
FTWT_INLINE void store(float* p, Vec v) { *reinterpret_cast<VecU*>(p) = v; }
FTWT_INLINE Vec splat(float x) { return x - Vec{}; }
FTWT_INLINE Vec select(IVec mask, Vec a, Vec b) { return mask ? a : b; }
// sum + a * b. Of tiles that fill the register file GCC otherwise moves sums between registers, and to memory and back.
FTWT_INLINE Vec multiply_add(Vec sum, Vec a, Vec b) {
#if defined(FTWT_ISA_avx512)
  asm("vfmadd231ps %2, %1, %0" : "+v"(sum) : "v"(a), "v"(b));
#elif defined(FTWT_ISA_avx2)
  asm("vfmadd231ps %2, %1, %0" : "+x"(sum) : "x"(a), "x"(b));
#else
  sum += a * b;
#endif
  return sum;
}
// sum + a * *b, b in all lanes. One instruction in place of two, for what is multiplied once: a core whose other thread
// is busy decodes half as many.
FTWT_INLINE Vec multiply_add_splat(Vec sum, Vec a, const float* b) {
#if defined(FTWT_ISA_avx512)
  asm("vfmadd231ps %2%{1to16%}, %1, %0" : "+v"(sum) : "v"(a), "m"(*b));
  return sum;
#else
  return multiply_add(sum, a, splat(*b));
#endif
}
FTWT_INLINE Vec vmax(Vec a, Vec b) { return a > b ? a : b; }
FTWT_INLINE Vec vmin(Vec a, Vec b) { return a < b ? a : b; }

// The first `count` (0 to kLanes) lanes; the rest are zero, and no memory of theirs is touched.
#if defined(FTWT_ISA_avx512)
FTWT_INLINE __mmask16 first_lanes(int64_t count) { return static_cast<__mmask16>((1u << count) - 1); }
FTWT_INLINE Vec load_partial(const float* p, int64_t count) { return _mm512_maskz_loadu_ps(first_lanes(count), p); }
FTWT_INLINE void store_partial(float* p, Vec v, int64_t count) { _mm512_mask_storeu_ps(p, first_lanes(count), v); }
#elif defined(FTWT_ISA_avx2)
FTWT_INLINE Vec load_partial(const float* p, int64_t count) {
  const IVec lane = {0, 1, 2, 3, 4, 5, 6, 7};
  const IVec mask = lane < (static_cast<int32_t>(count) - IVec{});
  return _mm256_maskload_ps(p, reinterpret_cast<__m256i>(mask));
}
// Not a masked store: those take a dozen cycles on AMD's processors.
FTWT_INLINE void store_partial(float* p, Vec v, int64_t count) {
  if (count >= kLanes) return store(p, v);
  __m128 part = _mm256_castps256_ps128(v);
  if (count & 4) {
    _mm_storeu_ps(p, part);
    part = _mm256_extractf128_ps(v, 1);
    p += 4;
  }
  if (count & 2) {
    _mm_storel_pi(reinterpret_cast<__m64*>(p), part);
    part = _mm_movehl_ps(part, part);
    p += 2;
  }
  if (count & 1) _mm_store_ss(p, part);
}
#else
FTWT_INLINE Vec load_partial(const float* p, int64_t count) {
  Vec v = {};
  for (int64_t i = 0; i < count; ++i) v[i] = p[i];
  return v;
}
FTWT_INLINE void store_partial(float* p, Vec v, int64_t count) {
  for (int64_t i = 0; i < count; ++i) p[i] = v[i];
}
#endif

// All lanes, or the first `count` where there are fewer left.
FTWT_INLINE Vec load_some(const float* p, int64_t count) { return count >= kLanes ? load(p) : load_partial(p, count); }
FTWT_INLINE void store_some(float* p, Vec v, int64_t count) {
  if (count >= kLanes) {
    store(p, v);
  } else {
    store_partial(p, v, count);
  }
}

FTWT_INLINE IVec lane_numbers() {
  IVec lanes = {};
  for (int i = 0; i < kLanes; ++i) lanes[i] = i;
  return lanes;
}

// Bit i of lane i.
FTWT_INLINE uint64_t lane_bits(IVec mask) {
#if defined(FTWT_ISA_avx512)
  return _mm512_movepi32_mask(reinterpret_cast<__m512i>(mask));
#elif defined(FTWT_ISA_avx2)
  return static_cast<uint32_t>(_mm256_movemask_ps(reinterpret_cast<__m256>(mask)));
#else
  uint64_t bits = 0;
  for (int i = 0; i < kLanes; ++i) bits |= static_cast<uint64_t>(mask[i] & 1) << i;
  return bits;
#endif
}

FTWT_INLINE Vec to_float(IVec v) { return __builtin_convertvector(v, Vec); }

FTWT_INLINE float horizontal_sum(Vec v) {
  float sum = 0;
  for (int i = 0; i < kLanes; ++i) sum += v[i];
  return sum;
}

}  // namespace ftwt::FTWT_ISA
