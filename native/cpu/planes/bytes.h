// Sums of products of bytes with integers of 16 bits.
#pragma once
#include "cpu/planes/deinterleave.h"

namespace ftwt::FTWT_ISA {
namespace {

typedef int32_t PairsU __attribute__((vector_size(kLanes * 4), aligned(2), may_alias));

// 2 * kLanes integers of 16 bits, two in each lane.
FTWT_INLINE IVec load_pairs(const int16_t* p) { return *reinterpret_cast<const PairsU*>(p); }

// kLanes sums of two products each: bytes 2 * i and 2 * i + 1 times the halves of pairs[i], as integers of 16 bits.
FTWT_INLINE IVec multiply_pairs(const int8_t* bytes, IVec pairs) {
#if defined(FTWT_ISA_avx512)
  const __m512i wide = _mm512_maskz_cvtepi8_epi16(~0u, _mm256_loadu_si256(reinterpret_cast<const __m256i*>(bytes)));
  return reinterpret_cast<IVec>(_mm512_madd_epi16(wide, reinterpret_cast<__m512i>(pairs)));
#elif defined(FTWT_ISA_avx2)
  const __m256i wide = _mm256_cvtepi8_epi16(_mm_loadu_si128(reinterpret_cast<const __m128i*>(bytes)));
  return reinterpret_cast<IVec>(_mm256_madd_epi16(wide, reinterpret_cast<__m256i>(pairs)));
#else
  IVec sum = {};
  for (int i = 0; i < kLanes; ++i) {
    const auto pair = static_cast<uint32_t>(pairs[i]);
    sum[i] = static_cast<int16_t>(pair & 0xffff) * bytes[2 * i] + static_cast<int16_t>(pair >> 16) * bytes[2 * i + 1];
  }
  return sum;
#endif
}

// Adds a[i] * the first half of `steps` + b[i] * the second, i < 2 * kLanes, to sums that order_byte_products() puts in
// order.
FTWT_INLINE void add_byte_products(const int8_t* a, const int8_t* b, IVec steps, IVec& low, IVec& high) {
#if defined(FTWT_ISA_avx512)
  const __m512i x = _mm512_maskz_cvtepi8_epi16(~0u, _mm256_loadu_si256(reinterpret_cast<const __m256i*>(a)));
  const __m512i y = _mm512_maskz_cvtepi8_epi16(~0u, _mm256_loadu_si256(reinterpret_cast<const __m256i*>(b)));
  const auto pairs = reinterpret_cast<__m512i>(steps);
  low += reinterpret_cast<IVec>(_mm512_madd_epi16(_mm512_maskz_unpacklo_epi16(~0u, x, y), pairs));
  high += reinterpret_cast<IVec>(_mm512_madd_epi16(_mm512_maskz_unpackhi_epi16(~0u, x, y), pairs));
#elif defined(FTWT_ISA_avx2)
  const __m256i x = _mm256_cvtepi8_epi16(_mm_loadu_si128(reinterpret_cast<const __m128i*>(a)));
  const __m256i y = _mm256_cvtepi8_epi16(_mm_loadu_si128(reinterpret_cast<const __m128i*>(b)));
  const auto pairs = reinterpret_cast<__m256i>(steps);
  low += reinterpret_cast<IVec>(_mm256_madd_epi16(_mm256_unpacklo_epi16(x, y), pairs));
  high += reinterpret_cast<IVec>(_mm256_madd_epi16(_mm256_unpackhi_epi16(x, y), pairs));
#else
  const auto word = static_cast<uint32_t>(steps[0]);
  const auto first = static_cast<int16_t>(word & 0xffff), second = static_cast<int16_t>(word >> 16);
  for (int i = 0; i < kLanes; ++i) {
    low[i] += a[i] * first + b[i] * second;
    high[i] += a[kLanes + i] * first + b[kLanes + i] * second;
  }
#endif
}

FTWT_INLINE void order_byte_products([[maybe_unused]] IVec& low, [[maybe_unused]] IVec& high) {
#if defined(FTWT_ISA_avx512)
  const IVec first = FTWT_SHUFFLE(low, high, 0, 1, 2, 3, 16, 17, 18, 19, 4, 5, 6, 7, 20, 21, 22, 23);
  high = FTWT_SHUFFLE(low, high, 8, 9, 10, 11, 24, 25, 26, 27, 12, 13, 14, 15, 28, 29, 30, 31);
  low = first;
#elif defined(FTWT_ISA_avx2)
  const IVec first = FTWT_SHUFFLE(low, high, 0, 1, 2, 3, 8, 9, 10, 11);
  high = FTWT_SHUFFLE(low, high, 4, 5, 6, 7, 12, 13, 14, 15);
  low = first;
#endif
}

#if defined(FTWT_ISA_avx512)
// Sums may leave 32 bits on their way: what overflows comes back.
typedef uint32_t UVec __attribute__((vector_size(sizeof(IVec))));

FTWT_INLINE IVec load_bytes(const void* bytes) { return reinterpret_cast<IVec>(_mm512_loadu_si512(bytes)); }

// Bytes, each 128 more: unsigned.
FTWT_INLINE IVec load_unsigned(const int8_t* bytes) {
  return reinterpret_cast<IVec>(_mm512_xor_si512(_mm512_loadu_si512(bytes), _mm512_set1_epi8(-128)));
}

// The sum of each vector's lanes.
FTWT_INLINE void add_lanes(const IVec (&v)[4], int32_t* sums) {
  const auto add = [](IVec a, IVec b) __attribute__((always_inline)) {
    return reinterpret_cast<IVec>(reinterpret_cast<UVec>(a) + reinterpret_cast<UVec>(b));
  };
  const IVec ab = add(FTWT_SHUFFLE(v[0], v[1], 0, 16, 1, 17, 4, 20, 5, 21, 8, 24, 9, 25, 12, 28, 13, 29),
                      FTWT_SHUFFLE(v[0], v[1], 2, 18, 3, 19, 6, 22, 7, 23, 10, 26, 11, 27, 14, 30, 15, 31));
  const IVec cd = add(FTWT_SHUFFLE(v[2], v[3], 0, 16, 1, 17, 4, 20, 5, 21, 8, 24, 9, 25, 12, 28, 13, 29),
                      FTWT_SHUFFLE(v[2], v[3], 2, 18, 3, 19, 6, 22, 7, 23, 10, 26, 11, 27, 14, 30, 15, 31));
  const IVec all = add(FTWT_SHUFFLE(ab, cd, 0, 1, 16, 17, 4, 5, 20, 21, 8, 9, 24, 25, 12, 13, 28, 29),
                       FTWT_SHUFFLE(ab, cd, 2, 3, 18, 19, 6, 7, 22, 23, 10, 11, 26, 27, 14, 15, 30, 31));
  const IVec halves = add(all, FTWT_SHUFFLE(all, all, 8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3, 4, 5, 6, 7));
  const IVec both = add(halves, FTWT_SHUFFLE(halves, halves, 4, 5, 6, 7, 0, 1, 2, 3, 4, 5, 6, 7, 0, 1, 2, 3));
  memcpy(sums, &both, 4 * sizeof(int32_t));
}

// sum + the four products of a lane's bytes. By its name: the other kernels run without AVX512-VNNI.
FTWT_INLINE IVec add_quad_products(IVec sum, IVec unsigned_bytes, IVec signed_bytes) {
  asm("vpdpbusd %2, %1, %0" : "+v"(sum) : "v"(unsigned_bytes), "v"(signed_bytes));
  return sum;
}
#endif

}  // namespace
}  // namespace ftwt::FTWT_ISA
