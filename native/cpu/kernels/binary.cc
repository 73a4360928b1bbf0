#include "ops/binary.h"

#include "cpu/isa.h"

namespace ftwt::FTWT_ISA {
namespace {

// Rows shorter than this are joined: a row that repeats is written out several times, so that the vector loop is long.
constexpr int64_t kJoined = 512;

// Column strides are constants: 0 repeats one value, 1 walks.
template <int kA, int kB, typename Out, typename Function>
FTWT_INLINE void map_row(const float* a, const float* b, Out* y, int64_t cols, Function function) {
#pragma GCC ivdep
  for (int64_t i = 0; i < cols; ++i) y[i] = function(a[i * kA], b[i * kB]);
}

FTWT_INLINE void repeat(const float* row, float* joined, int64_t cols, int64_t times) {
  for (int64_t t = 0; t < times; ++t) {
    for (int64_t i = 0; i < cols; ++i) joined[t * cols + i] = row[i];
  }
}

template <typename Out, typename Function>
static void map_plane(const float* a, const float* b, Out* y, int64_t rows, int64_t cols, int64_t a_row, int64_t b_row,
                      int64_t a_col, int64_t b_col, Function function) {
  if (a_col == 1 && b_col == 1) {
    float joined[kJoined];
    const int64_t times = rows < kJoined / cols ? rows : kJoined / cols;
    if (times >= 4 && b_row == 0 && a_row == cols) {
      repeat(b, joined, cols, times);
      for (int64_t r = 0; r < rows; r += times) {
        map_row<1, 1>(a + r * cols, joined, y + r * cols, (rows - r < times ? rows - r : times) * cols, function);
      }
    } else if (times >= 4 && a_row == 0 && b_row == cols) {
      repeat(a, joined, cols, times);
      for (int64_t r = 0; r < rows; r += times) {
        map_row<1, 1>(joined, b + r * cols, y + r * cols, (rows - r < times ? rows - r : times) * cols, function);
      }
    } else {
      for (int64_t r = 0; r < rows; ++r) map_row<1, 1>(a + r * a_row, b + r * b_row, y + r * cols, cols, function);
    }
  } else if (a_col == 1) {
    for (int64_t r = 0; r < rows; ++r) map_row<1, 0>(a + r * a_row, b + r * b_row, y + r * cols, cols, function);
  } else if (b_col == 1) {
    for (int64_t r = 0; r < rows; ++r) map_row<0, 1>(a + r * a_row, b + r * b_row, y + r * cols, cols, function);
  } else {
    for (int64_t r = 0; r < rows; ++r) map_row<0, 0>(a + r * a_row, b + r * b_row, y + r * cols, cols, function);
  }
}

}  // namespace

// Strides in elements. y is contiguous. NaN as in tfjs: Maximum and Minimum return it, comparisons are false.
void binary_plane(int op, const float* a, const float* b, void* y, int64_t rows, int64_t cols, int64_t a_row,
                  int64_t b_row, int64_t a_col, int64_t b_col) {
  float* const floats = static_cast<float*>(y);
  uint8_t* const bytes = static_cast<uint8_t*>(y);
  const auto map = [=](auto* out, auto function) {
    map_plane(a, b, out, rows, cols, a_row, b_row, a_col, b_col, function);
  };
  switch (static_cast<BinaryOp>(op)) {
    case BinaryOp::Add: return map(floats, [](float u, float v) { return u + v; });
    case BinaryOp::Sub: return map(floats, [](float u, float v) { return u - v; });
    case BinaryOp::Multiply: return map(floats, [](float u, float v) { return u * v; });
    case BinaryOp::RealDiv: return map(floats, [](float u, float v) { return u / v; });
    case BinaryOp::Maximum: return map(floats, [](float u, float v) { return (u > v) | (u != u) ? u : v; });
    case BinaryOp::Minimum: return map(floats, [](float u, float v) { return (u < v) | (u != u) ? u : v; });
    case BinaryOp::SquaredDifference: return map(floats, [](float u, float v) { return (u - v) * (u - v); });
    case BinaryOp::ReluGrad: return map(floats, [](float u, float v) { return v > 0 ? u : v <= 0 ? 0.0f : v; });
    case BinaryOp::Greater: return map(bytes, [](float u, float v) -> uint8_t { return u > v; });
    case BinaryOp::GreaterEqual: return map(bytes, [](float u, float v) -> uint8_t { return u >= v; });
    case BinaryOp::Less: return map(bytes, [](float u, float v) -> uint8_t { return u < v; });
    case BinaryOp::LessEqual: return map(bytes, [](float u, float v) -> uint8_t { return u <= v; });
    case BinaryOp::Equal: return map(bytes, [](float u, float v) -> uint8_t { return u == v; });
    case BinaryOp::NotEqual: return map(bytes, [](float u, float v) -> uint8_t { return u != v; });
    case BinaryOp::Count: return;
  }
}

void select_range(const uint8_t* condition, const float* t, const float* e, float* y, int64_t count) {
#pragma GCC ivdep
  for (int64_t i = 0; i < count; ++i) y[i] = condition[i] ? t[i] : e[i];
}

}  // namespace ftwt::FTWT_ISA
