// 3x3 convolutions by tiles of 2x2 outputs, one tile's 16 points in the lanes of a vector: each weight is a vector,
// read from a line of its own, so that channels that are not active cost neither products nor bytes.
#include "cpu/isa.h"
#include "cpu/planes/planes.h"

namespace ftwt::FTWT_ISA {
namespace {

constexpr int kPoints = cpu::PointProducts::kPoints;
constexpr int kTiles = cpu::PointProducts::kTiles;
constexpr int kMostRows = kLanes == 16 ? 6 : 2;  // their sums, a column's tiles and a weight fill the register file
constexpr int64_t kDepth = 64;                   // columns whose weights and tiles stay in the first-level cache
constexpr int64_t kAhead = 16;                   // columns

typedef float Four __attribute__((vector_size(16)));
typedef int32_t Lanes4 __attribute__((vector_size(16)));
typedef float FourU __attribute__((vector_size(16), aligned(4), may_alias));

FTWT_INLINE Four load_four(const float* p) { return *reinterpret_cast<const FourU*>(p); }
FTWT_INLINE void store_four(float* p, Four v) { *reinterpret_cast<FourU*>(p) = v; }

FTWT_INLINE void transpose_four(Four (&v)[4]) {
  const Four a = __builtin_shuffle(v[0], v[1], Lanes4{0, 4, 1, 5}),
             b = __builtin_shuffle(v[0], v[1], Lanes4{2, 6, 3, 7});
  const Four c = __builtin_shuffle(v[2], v[3], Lanes4{0, 4, 1, 5}),
             d = __builtin_shuffle(v[2], v[3], Lanes4{2, 6, 3, 7});
  v[0] = __builtin_shuffle(a, c, Lanes4{0, 1, 4, 5});
  v[1] = __builtin_shuffle(a, c, Lanes4{2, 3, 6, 7});
  v[2] = __builtin_shuffle(b, d, Lanes4{0, 1, 4, 5});
  v[3] = __builtin_shuffle(b, d, Lanes4{2, 3, 6, 7});
}

// B^T applied to rows.
FTWT_INLINE void input_rows(Four (&v)[4]) {
  const Four first = v[0] - v[2], second = v[1] + v[2], third = v[2] - v[1], fourth = v[1] - v[3];
  v[0] = first;
  v[1] = second;
  v[2] = third;
  v[3] = fourth;
}

template <int MR>
FTWT_INLINE void multiply_rows(const cpu::PointProducts& p, const int32_t* rows, int64_t group, int64_t begin,
                               int64_t end, float* sums) {
  const int64_t stride = p.groups * kTiles * kPoints;
  sums += group * kTiles * kPoints;
  for (int part = 0; part < kPoints; part += kLanes) {
    const float* weights[MR];
    Vec acc[MR][kTiles];
#pragma GCC unroll 6
    for (int m = 0; m < MR; ++m) {
      weights[m] = p.weights + rows[m] * p.row_stride + part;
#pragma GCC unroll 4
      for (int t = 0; t < kTiles; ++t) acc[m][t] = begin == 0 ? Vec{} : load(sums + m * stride + t * kPoints + part);
    }
    const float* tiles = p.tiles + (group * p.columns.count + begin) * kTiles * kPoints + part;
    const int32_t* list = p.columns.index;
    const auto add = [&](int64_t j) __attribute__((always_inline)) {
      const int64_t column = int64_t{list[j]} * kPoints;
      Vec x[kTiles];
#pragma GCC unroll 4
      for (int t = 0; t < kTiles; ++t) x[t] = load(tiles + t * kPoints);
#pragma GCC unroll 6
      for (int m = 0; m < MR; ++m) {
        const Vec w = load(weights[m] + column);
#pragma GCC unroll 4
        for (int t = 0; t < kTiles; ++t) acc[m][t] = multiply_add(acc[m][t], w, x[t]);
      }
      tiles += kTiles * kPoints;
    };
    int64_t j = begin;
    if (!p.weights_near && group == 0) {
      for (; j + kAhead < end; ++j) {
        const int64_t ahead = int64_t{list[j + kAhead]} * kPoints;
#pragma GCC unroll 6
        for (int m = 0; m < MR; ++m) __builtin_prefetch(weights[m] + ahead);
        add(j);
      }
    }
    for (; j < end; ++j) add(j);
#pragma GCC unroll 6
    for (int m = 0; m < MR; ++m) {
#pragma GCC unroll 4
      for (int t = 0; t < kTiles; ++t) store(sums + m * stride + t * kPoints + part, acc[m][t]);
    }
  }
}

}  // namespace

std::size_t point_scratch_floats(const cpu::WinogradShape& shape) {
  return static_cast<std::size_t>((2 * shape.tiles_h() + 2) * (2 * shape.tiles_w() + 2) + kLanes);
}

void point_tiles(const cpu::WinogradShape& s, const float* plane, float* scratch, float* tiles, int64_t group_stride) {
  const int64_t width = 2 * s.tiles_w() + 2, height = 2 * s.tiles_h() + 2;
  memset(scratch, 0, static_cast<size_t>(width * height) * sizeof(float));
  const int64_t columns = s.w < width - s.pad_left ? s.w : width - s.pad_left;
  for (int64_t y = 0; y < s.h && y + s.pad_top < height; ++y) {
    float* row = scratch + (y + s.pad_top) * width + s.pad_left;
    // The zeros behind a row reach into the next, which comes after it.
    for (int64_t x = 0; x < columns; x += kLanes) store(row + x, load_some(plane + y * s.w + x, columns - x));
  }
  int64_t tile = 0;
  float* group = tiles;
  const auto next = [&] {
    if (++tile % kTiles == 0) group += group_stride;
  };
  for (int64_t y = 0; y < s.tiles_h(); ++y) {
    for (int64_t x = 0; x < s.tiles_w(); ++x, next()) {
      Four v[4];
      for (int i = 0; i < 4; ++i) v[i] = load_four(scratch + (2 * y + i) * width + 2 * x);
      input_rows(v);
      transpose_four(v);
      input_rows(v);
      // Points lie column by column.
      for (int i = 0; i < 4; ++i) store_four(group + tile % kTiles * kPoints + 4 * i, v[i]);
    }
  }
  for (; tile % kTiles != 0; next()) memset(group + tile % kTiles * kPoints, 0, kPoints * sizeof(float));
}

void point_products(const cpu::PointProducts& p, cpu::ChannelList rows) {
  const int64_t stride = p.groups * kTiles * kPoints;
  const int64_t row_tiles = (rows.count + kMostRows - 1) / kMostRows;
  const int64_t depths = p.columns.count > kDepth ? (p.columns.count + kDepth - 1) / kDepth : 1;
  for (int64_t depth = 0; depth < depths; ++depth) {
    const int64_t begin = p.columns.count * depth / depths, end = p.columns.count * (depth + 1) / depths;
    for (int64_t i = 0; i < row_tiles; ++i) {
      const int64_t first = rows.count * i / row_tiles, count = rows.count * (i + 1) / row_tiles - first;
      const int32_t* list = rows.index + first;
      float* sums = p.sums + first * stride;
      for (int64_t group = 0; group < p.groups; ++group) {
        switch (count) {
          case 1: multiply_rows<1>(p, list, group, begin, end, sums); break;
          case 2: multiply_rows<2>(p, list, group, begin, end, sums); break;
#if defined(FTWT_ISA_avx512)
          case 3: multiply_rows<3>(p, list, group, begin, end, sums); break;
          case 4: multiply_rows<4>(p, list, group, begin, end, sums); break;
          case 5: multiply_rows<5>(p, list, group, begin, end, sums); break;
          default: multiply_rows<6>(p, list, group, begin, end, sums);
#endif
        }
      }
    }
  }
}

void point_outputs(const cpu::WinogradShape& s, const float* sums, float bias, float* plane) {
  const int64_t width = 2 * s.tiles_w();
  const int64_t tiles = s.tiles();
  int64_t column = 0;
  for (int64_t first = 0; first < tiles; first += kTiles, sums += kTiles * kPoints) {
    Four top[4], bottom[4];  // of each tile; then of each column of points, with lanes for tiles
    for (int t = 0; t < kTiles; ++t) {
      Four v[4];
      for (int i = 0; i < 4; ++i) v[i] = load_four(sums + t * kPoints + 4 * i);
      top[t] = v[0] + v[1] + v[2];
      bottom[t] = v[1] - v[2] - v[3];
    }
    transpose_four(top);
    transpose_four(bottom);
    // Points lie column by column: what was summed first are the columns.
    const Four left[2] = {top[0] + top[1] + top[2] + bias, top[1] - top[2] - top[3] + bias};
    const Four right[2] = {bottom[0] + bottom[1] + bottom[2] + bias, bottom[1] - bottom[2] - bottom[3] + bias};
    float rows[2][2 * kTiles];
    for (int y = 0; y < 2; ++y) {
      store_four(rows[y], __builtin_shuffle(left[y], right[y], Lanes4{0, 4, 1, 5}));
      store_four(rows[y] + 4, __builtin_shuffle(left[y], right[y], Lanes4{2, 6, 3, 7}));
    }
    for (int t = 0; t < kTiles && first + t < tiles; ++t) {
      memcpy(plane + column, rows[0] + 2 * t, 2 * sizeof(float));
      memcpy(plane + width + column, rows[1] + 2 * t, 2 * sizeof(float));
      column += 2;
      if (column == width) {
        column = 0;
        plane += 2 * width;
      }
    }
  }
}

}  // namespace ftwt::FTWT_ISA
