#include "ops/copy.h"

#include <algorithm>
#include <cstring>

#include "cpu/thread_pool.h"

namespace ftwt::cpu {
namespace {

constexpr int64_t kGrain = 16384;
// A transposed block of 16 x 16 floats touches 16 cache lines on either side.
constexpr int64_t kBlock = 16;

void copy_plane(const float* x, float* y, int64_t rows, int64_t cols, int64_t x_row, int64_t y_row, int64_t x_col,
                int64_t y_col) {
  if (x_col == 1 && y_col == 1) {
    for (int64_t r = 0; r < rows; ++r) {
      std::memcpy(y + r * y_row, x + r * x_row, static_cast<std::size_t>(cols) * sizeof(float));
    }
    return;
  }
  for (int64_t r0 = 0; r0 < rows; r0 += kBlock) {
    const int64_t r1 = std::min(rows, r0 + kBlock);
    for (int64_t c0 = 0; c0 < cols; c0 += kBlock) {
      const int64_t c1 = std::min(cols, c0 + kBlock);
      for (int64_t r = r0; r < r1; ++r) {
        for (int64_t c = c0; c < c1; ++c) y[r * y_row + c * y_col] = x[r * x_row + c * x_col];
      }
    }
  }
}

// Where the innermost dimension jumps in x, the dimension that is contiguous in x becomes its neighbour: the plane of
// the two is then a matrix to transpose.
void pair_contiguous(StridedDims* dims) {
  if (dims->a[dims->rank - 1] == 1) return;
  for (int d = dims->rank - 3; d >= 0; --d) {
    if (dims->a[d] != 1) continue;
    for (int k = d; k + 1 < dims->rank - 1; ++k) {
      std::swap(dims->size[k], dims->size[k + 1]);
      std::swap(dims->a[k], dims->a[k + 1]);
      std::swap(dims->b[k], dims->b[k + 1]);
    }
    return;
  }
}

}  // namespace

void copy(const CopyParams& p) {
  StridedDims dims = p.dims;
  if (dims.count() == 0) return;
  if (dims.rank == 1) {  // a plane of one row
    dims.size[1] = dims.size[0];
    dims.a[1] = dims.a[0];
    dims.b[1] = dims.b[0];
    dims.size[0] = 1;
    dims.rank = 2;
  }
  pair_contiguous(&dims);
  const int last = dims.rank - 1;
  const int64_t cols = dims.size[last], plane_rows = dims.size[last - 1];
  parallel_for(dims.count() / cols, std::max<int64_t>(1, kGrain / cols), [&](int64_t begin, int64_t end, int) {
    for (int64_t row = begin; row < end;) {
      const int64_t first = row % plane_rows;
      const int64_t rows = std::min(plane_rows - first, end - row);
      int64_t x_offset, y_offset;
      dims.offsets(row / plane_rows, last - 1, &x_offset, &y_offset);
      copy_plane(p.x + x_offset + first * dims.a[last - 1], p.y + y_offset + first * dims.b[last - 1], rows, cols,
                 dims.a[last - 1], dims.b[last - 1], dims.a[last], dims.b[last]);
      row += rows;
    }
  });
}

}  // namespace ftwt::cpu
