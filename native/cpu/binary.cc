#include "ops/binary.h"

#include <algorithm>

#include "cpu/dispatch.h"
#include "cpu/thread_pool.h"

FTWT_DECLARE_KERNEL(void binary_plane(int op, const float* a, const float* b, void* y, int64_t rows, int64_t cols,
                                      int64_t a_row, int64_t b_row, int64_t a_col, int64_t b_col))
FTWT_DECLARE_KERNEL(void select_range(const uint8_t* condition, const float* t, const float* e, float* y,
                                      int64_t count))

namespace ftwt::cpu {
namespace {

constexpr int64_t kGrain = 16384;

}  // namespace

void binary(const BinaryParams& p) {
  const auto kernel = FTWT_KERNEL(binary_plane);
  const StridedDims& dims = p.dims;
  const int op = static_cast<int>(p.op);
  const int64_t element = p.op >= BinaryOp::FloatCount ? 1 : sizeof(float);
  char* const y = static_cast<char*>(p.y);
  const int last = dims.rank - 1;
  const int64_t cols = dims.size[last], a_col = dims.a[last], b_col = dims.b[last];
  if (dims.count() == 0) return;
  const int64_t rows = dims.count() / cols;

  if (rows < 2 * thread_count()) {  // few long rows: split each
    for (int64_t row = 0; row < rows; ++row) {
      int64_t a_offset, b_offset;
      dims.offsets(row, last, &a_offset, &b_offset);
      parallel_for(cols, kGrain, [&](int64_t begin, int64_t end, int) {
        kernel(op, p.a + a_offset + begin * a_col, p.b + b_offset + begin * b_col, y + (row * cols + begin) * element,
               1, end - begin, 0, 0, a_col, b_col);
      });
    }
    return;
  }

  // The two innermost dimensions form a plane; a thread's rows may start and end inside one.
  const int64_t plane_rows = dims.size[last - 1], a_row = dims.a[last - 1], b_row = dims.b[last - 1];
  parallel_for(rows, std::max<int64_t>(1, kGrain / cols), [&](int64_t begin, int64_t end, int) {
    for (int64_t row = begin; row < end;) {
      const int64_t first = row % plane_rows;
      const int64_t count = std::min(plane_rows - first, end - row);
      int64_t a_offset, b_offset;
      dims.offsets(row / plane_rows, last - 1, &a_offset, &b_offset);
      kernel(op, p.a + a_offset + first * a_row, p.b + b_offset + first * b_row, y + row * cols * element, count, cols,
             a_row, b_row, a_col, b_col);
      row += count;
    }
  });
}

void select(const SelectParams& p) {
  const auto kernel = FTWT_KERNEL(select_range);
  parallel_for(p.count, kGrain, [&](int64_t begin, int64_t end, int) {
    kernel(p.condition + begin, p.t + begin, p.e + begin, p.y + begin, end - begin);
  });
}

void logical_and(const LogicalAndParams& p) {
  parallel_for(p.count, 4 * kGrain, [&](int64_t begin, int64_t end, int) {
    for (int64_t i = begin; i < end; ++i) p.y[i] = (p.a[i] != 0) & (p.b[i] != 0);
  });
}

}  // namespace ftwt::cpu
