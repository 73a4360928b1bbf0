// Reads a loop nest from the field `dims`: an Int32Array [rank, 3] of size, stride of a, stride of b.
#pragma once
#include "binding/fields.h"
#include "ops/strided.h"

namespace ftwt::binding {

struct CheckedDims {
  StridedDims dims;
  int64_t a_length;  // elements that the loop reaches in a and in b
  int64_t b_length;
  int64_t count;  // turns of the loop
};

inline CheckedDims read_dims(const Fields& f) {
  const int64_t rank = f.size("rank");
  if (rank < 1 || rank > StridedDims::kMaxRank) {
    throw Error(ErrorCode::InvalidArgument, "rank: expected 1 to 8, got " + std::to_string(rank));
  }
  const int32_t* values = f.host_ints("dims", rank * 3);
  CheckedDims checked = {{static_cast<int>(rank), {}, {}, {}}, 1, 1, 1};
  for (int64_t d = 0; d < rank; ++d) {
    const int64_t size = values[3 * d], a = values[3 * d + 1], b = values[3 * d + 2];
    if (size < 0 || a < 0 || b < 0) throw Error(ErrorCode::InvalidArgument, "dims: expected no negative value");
    checked.dims.size[d] = size;
    checked.dims.a[d] = a;
    checked.dims.b[d] = b;
    checked.count = product({checked.count, size});
    if (size == 0) continue;
    checked.a_length += product({size - 1, a});
    checked.b_length += product({size - 1, b});
  }
  if (checked.count == 0) checked.a_length = checked.b_length = 0;
  return checked;
}

}  // namespace ftwt::binding
