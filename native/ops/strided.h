// A loop nest over two strided arrays: what broadcasting, slicing, padding and transposing have in common.
#pragma once
#include "ops/common.h"

namespace ftwt {

struct StridedDims {
  static constexpr int kMaxRank = 8;
  int rank;                // 1 .. kMaxRank
  int64_t size[kMaxRank];  // outermost first
  int64_t a[kMaxRank];     // elements between neighbours along each dimension; 0 repeats
  int64_t b[kMaxRank];

  int64_t count() const {
    int64_t total = 1;
    for (int d = 0; d < rank; ++d) total *= size[d];
    return total;
  }

  // Offset of the `index`-th element of the leading `dims` dimensions.
  void offsets(int64_t index, int dims, int64_t* a_offset, int64_t* b_offset) const {
    *a_offset = *b_offset = 0;
    for (int d = dims - 1; d >= 0; --d) {
      const int64_t i = index % size[d];
      index /= size[d];
      *a_offset += i * a[d];
      *b_offset += i * b[d];
    }
  }
};

}  // namespace ftwt
