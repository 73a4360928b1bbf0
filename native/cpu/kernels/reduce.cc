#include "ops/reduce.h"

#include "cpu/isa.h"
#include "cpu/math.h"

namespace ftwt::FTWT_ISA {
namespace {

// Float lanes are summed over short blocks only and the blocks in double: a sum of 1e7 floats keeps 7 digits.
constexpr int64_t kBlockRows = 16;
typedef double DVec __attribute__((vector_size(kLanes * 8)));
constexpr int64_t kColTile = 1024;
// Rows shorter than this are joined, so that the vector loop is long.
constexpr int64_t kJoined = 128;

struct Sum {
  static constexpr double kIdentity = 0;
  template <typename T>
  static T combine(T a, T b) {
    return a + b;
  }
};
// NaN wins and stays, as in tfjs.
struct Max {
  static constexpr double kIdentity = -__builtin_inf();
  template <typename T>
  static T combine(T a, T b) {
    return (b > a) | (b != b) ? b : a;
  }
};
struct Min {
  static constexpr double kIdentity = __builtin_inf();
  template <typename T>
  static T combine(T a, T b) {
    return (b < a) | (b != b) ? b : a;
  }
};

template <typename Op>
static double reduce_run(const float* x, int64_t count) {
  constexpr int kAccumulators = 4;
  constexpr int64_t kBlock = kBlockRows * kAccumulators * kLanes;
  DVec totals = Op::kIdentity - DVec{};
  int64_t i = 0;
  while (count - i >= kAccumulators * kLanes) {
    const int64_t block_end = count - i < kBlock ? count : i + kBlock;
    Vec acc[kAccumulators];
    for (int k = 0; k < kAccumulators; ++k) acc[k] = load(x + i + k * kLanes);
    i += kAccumulators * kLanes;
    for (; i + kAccumulators * kLanes <= block_end; i += kAccumulators * kLanes) {
      for (int k = 0; k < kAccumulators; ++k) acc[k] = Op::combine(acc[k], load(x + i + k * kLanes));
    }
    for (int k = 1; k < kAccumulators; ++k) acc[0] = Op::combine(acc[0], acc[k]);
    totals = Op::combine(totals, __builtin_convertvector(acc[0], DVec));
  }
  for (; i + kLanes <= count; i += kLanes) totals = Op::combine(totals, __builtin_convertvector(load(x + i), DVec));
  double total = Op::kIdentity;
  for (int lane = 0; lane < kLanes; ++lane) total = Op::combine(total, totals[lane]);
  for (; i < count; ++i) total = Op::combine(total, static_cast<double>(x[i]));
  return total;
}

// acc [cols] is combined with the column results of x [rows, cols], whose rows are `stride` apart; cols <= kColTile.
template <typename Op>
static void reduce_tile(const float* x, int64_t rows, int64_t cols, int64_t stride, double* acc) {
  float block[kColTile];
  for (int64_t r = 0; r < rows;) {
    const int64_t end = rows - r < kBlockRows ? rows : r + kBlockRows;
    for (int64_t c = 0; c < cols; ++c) block[c] = x[r * stride + c];
    for (++r; r < end; ++r) {
      const float* row = x + r * stride;
      for (int64_t c = 0; c < cols; ++c) block[c] = Op::combine(block[c], row[c]);
    }
    for (int64_t c = 0; c < cols; ++c) acc[c] = Op::combine(acc[c], static_cast<double>(block[c]));
  }
}

template <typename Op>
static void reduce_columns_as(const float* x, int64_t rows, int64_t cols, int64_t stride, double* acc) {
  const int64_t times = kJoined / cols;
  if (times > 1 && stride == cols && rows >= times) {
    double joined[kJoined];
    for (int64_t c = 0; c < times * cols; ++c) joined[c] = Op::kIdentity;
    reduce_tile<Op>(x, rows / times, times * cols, times * cols, joined);
    for (int64_t t = 0; t < times; ++t) {
      for (int64_t c = 0; c < cols; ++c) acc[c] = Op::combine(acc[c], joined[t * cols + c]);
    }
    const int64_t done = rows / times * times;
    x += done * stride;
    rows -= done;
  }
  for (int64_t c = 0; c < cols; c += kColTile) {
    reduce_tile<Op>(x + c, rows, cols - c < kColTile ? cols - c : kColTile, stride, acc + c);
  }
}

}  // namespace

// One contiguous run of numbers.
double reduce_span(int op, const float* x, int64_t count) {
  switch (static_cast<ReduceOp>(op)) {
    case ReduceOp::Sum: return reduce_run<Sum>(x, count);
    case ReduceOp::Max: return reduce_run<Max>(x, count);
    default: return reduce_run<Min>(x, count);
  }
}

void reduce_columns(int op, const float* x, int64_t rows, int64_t cols, int64_t stride, double* acc) {
  switch (static_cast<ReduceOp>(op)) {
    case ReduceOp::Sum: return reduce_columns_as<Sum>(x, rows, cols, stride, acc);
    case ReduceOp::Max: return reduce_columns_as<Max>(x, rows, cols, stride, acc);
    default: return reduce_columns_as<Min>(x, rows, cols, stride, acc);
  }
}

void softmax_rows(const float* x, float* y, int64_t rows, int64_t cols) {
  for (int64_t r = 0; r < rows; ++r, x += cols, y += cols) {
    const Vec top = splat(static_cast<float>(reduce_run<Max>(x, cols)));
    int64_t c = 0;
    for (; c + kLanes <= cols; c += kLanes) store(y + c, vexp(load(x + c) - top));
    if (c < cols) store_partial(y + c, vexp(load_partial(x + c, cols - c) - top), cols - c);
    const float scale = static_cast<float>(1 / reduce_run<Sum>(y, cols));
    for (c = 0; c < cols; ++c) y[c] *= scale;
  }
}

}  // namespace ftwt::FTWT_ISA
