// Picks listed elements of a row into a dense one, and puts them back, a vector of the row at a time.
#pragma once
#include "cpu/isa.h"

#if defined(FTWT_ISA_avx512)
#include <immintrin.h>
#endif

namespace ftwt::FTWT_ISA {
namespace {

// The listed elements within one vector of the row.
struct LaneGroup {
  int64_t base;         // of the vector in the row
  uint32_t lanes;       // bit i: element base + i is listed
  const int32_t* list;  // they themselves
  int64_t count;
};

// Calls body(group, position of its first element in the list) for an ascending list.
template <typename Body>
FTWT_INLINE void for_each_lane_group(const int32_t* list, int64_t count, const Body& body) {
  for (int64_t i = 0; i < count;) {
    LaneGroup group = {list[i] / kLanes * kLanes, 0, list + i, 0};
    for (; i < count && list[i] < group.base + kLanes; ++i, ++group.count) group.lanes |= 1u << (list[i] - group.base);
    body(group, i - group.count);
  }
}

// out[i] = row[group.list[i]]. Elements that are not listed are not read.
FTWT_INLINE void gather_lanes(const LaneGroup& group, const float* row, float* out) {
#if defined(FTWT_ISA_avx512)
  const auto lanes = static_cast<__mmask16>(group.lanes);
  const __m512 v = _mm512_maskz_compress_ps(lanes, _mm512_maskz_loadu_ps(lanes, row + group.base));
  _mm512_mask_storeu_ps(out, static_cast<__mmask16>((1u << group.count) - 1), v);
#else
  for (int64_t i = 0; i < group.count; ++i) out[i] = row[group.list[i]];
#endif
}

// row[group.list[i]] = in[i]. Elements that are not listed are not written.
FTWT_INLINE void scatter_lanes(const LaneGroup& group, const float* in, float* row) {
#if defined(FTWT_ISA_avx512)
  const auto lanes = static_cast<__mmask16>(group.lanes);
  const __m512 v = _mm512_maskz_loadu_ps(static_cast<__mmask16>((1u << group.count) - 1), in);
  _mm512_mask_storeu_ps(row + group.base, lanes, _mm512_maskz_expand_ps(lanes, v));
#else
  for (int64_t i = 0; i < group.count; ++i) row[group.list[i]] = in[i];
#endif
}

}  // namespace
}  // namespace ftwt::FTWT_ISA
