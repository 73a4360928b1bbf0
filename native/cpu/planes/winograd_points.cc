// 3x3 convolutions by tiles of 2x2 outputs, one tile's 16 points in the lanes of a vector: each weight is a vector,
// read from a line of its own, so that channels that are not active cost neither products nor bytes.
#include "cpu/isa.h"
#include "cpu/planes/planes.h"
#include "cpu/planes/transpose.h"
#include "cpu/planes/winograd_2x2.h"

namespace ftwt::FTWT_ISA {
namespace {

constexpr int kPoints = cpu::PointProducts::kPoints;
constexpr int kTiles = cpu::PointProducts::kTiles;
constexpr int kMostRows = kLanes == 16 ? 6 : 2;  // their sums, a column's tiles and a weight fill the register file
constexpr int64_t kDepth = 64;                   // columns whose weights and tiles stay in the first-level cache
constexpr int64_t kAhead = 16;                   // columns

// The sums of a group over the columns [begin, end).
template <int MR = kMostRows>
FTWT_INLINE void multiply_rows(const cpu::PointProducts& p, cpu::ChannelList rows, int64_t group, int64_t begin,
                               int64_t end, float* sums) {
  if constexpr (MR > 1) {
    if (rows.count < MR) return multiply_rows<MR - 1>(p, rows, group, begin, end, sums);
  }
  const int64_t stride = p.groups * kTiles * kPoints;
  sums += group * kTiles * kPoints;
  for (int part = 0; part < kPoints; part += kLanes) {
    const float* weights[MR];
    Vec acc[MR][kTiles];
#pragma GCC unroll 6
    for (int m = 0; m < MR; ++m) {
      weights[m] = p.weights + rows.index[m] * p.row_stride + part;
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
    if (part == 0 && !p.weights_near && group == 0) {  // parts lie in one line
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
      Quad rows[4], columns[4];
      for (int i = 0; i < 4; ++i) rows[i] = load_quad(scratch + (2 * y + i) * width + 2 * x);
      transform_input(rows, columns);
      transpose_quads(columns);
      transform_input(columns, rows);
      // Points lie column by column.
      for (int i = 0; i < 4; ++i) store_quad(group + tile % kTiles * kPoints + 4 * i, rows[i]);
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
      const int64_t first = rows.count * i / row_tiles;
      const cpu::ChannelList some = {rows.index + first, rows.count * (i + 1) / row_tiles - first};
      for (int64_t group = 0; group < p.groups; ++group) {
        multiply_rows(p, some, group, begin, end, p.sums + first * stride);
      }
    }
  }
}

void point_outputs(const cpu::WinogradShape& s, const float* sums, float bias, float* plane) {
  const int64_t width = 2 * s.tiles_w();
  const int64_t tiles = s.tiles();
  int64_t column = 0;
  for (int64_t first = 0; first < tiles; first += kTiles, sums += kTiles * kPoints) {
    // Points lie column by column: the first sums are those of the outputs' columns.
    Quad left[4], right[4];  // of each tile, lanes being rows of points; then the other way round
    for (int t = 0; t < kTiles; ++t) {
      Quad columns[4], sides[2];
      for (int i = 0; i < 4; ++i) columns[i] = load_quad(sums + t * kPoints + 4 * i);
      transform_output(columns, sides);
      left[t] = sides[0];
      right[t] = sides[1];
    }
    transpose_quads(left);
    transpose_quads(right);
    Quad left_rows[2], right_rows[2];
    transform_output(left, left_rows);
    transform_output(right, right_rows);
    float rows[2][2 * kTiles];
    for (int y = 0; y < 2; ++y) {
      store_quad(rows[y], zip_quads_low(left_rows[y], right_rows[y]) + bias);
      store_quad(rows[y] + 4, zip_quads_high(left_rows[y], right_rows[y]) + bias);
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
