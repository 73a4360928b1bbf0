#include "cpu/gemm/activate.h"
#include "cpu/isa.h"
#include "cpu/planes/deinterleave.h"
#include "cpu/planes/planes.h"
#include "cpu/planes/winograd_2x2.h"

// Tiles of one row of tiles are lanes. Input: first along the height, lanes being columns; then along the width, every
// Size-th column a lane. Output the other way round.

namespace ftwt::FTWT_ISA {
namespace {

template <int Size>
constexpr int kPoints = Size + 2;

// y = B^T x
FTWT_INLINE void transform_input(const Vec (&x)[6], Vec (&y)[6]) {
  const Vec a = x[4] - 4.0f * x[2];
  const Vec b = x[3] - 4.0f * x[1];
  const Vec c = x[4] - x[2];
  const Vec d = 2.0f * (x[3] - x[1]);
  y[0] = 4.0f * x[0] - 5.0f * x[2] + x[4];
  y[1] = a + b;
  y[2] = a - b;
  y[3] = c + d;
  y[4] = c - d;
  y[5] = 4.0f * x[1] - 5.0f * x[3] + x[5];
}

// y = A^T x
FTWT_INLINE void transform_output(const Vec (&x)[6], Vec (&y)[4]) {
  const Vec sum12 = x[1] + x[2], difference12 = x[1] - x[2];
  const Vec sum34 = x[3] + x[4], difference34 = x[3] - x[4];
  y[0] = x[0] + sum12 + sum34;
  y[1] = difference12 + 2.0f * difference34;
  y[2] = sum12 + 4.0f * sum34;
  y[3] = difference12 + 8.0f * difference34 + x[5];
}

// Floats of one row along the width that tiles are read from: whole vectors of tiles, and a tile's two last columns.
template <int Size>
FTWT_INLINE int64_t row_floats(const cpu::WinogradShape& s) {
  const int64_t vectors = (s.tiles_w() + kLanes - 1) / kLanes;
  return (vectors * Size + Size) * kLanes;
}

// Rows [Size + 2, row_floats], of which those of `points` are written: a row of tiles transformed along the height.
// Column 0 is the image's column -pad_left; what is beside the image's columns stays zero. `zeros`: a row of the
// image's padding.
template <int Size>
FTWT_INLINE void transform_height(const cpu::WinogradShape& s, cpu::PointRows points, const float* plane,
                                  int64_t tile_y, const float* zeros, float* rows, int64_t floats, int64_t next) {
  constexpr int P = kPoints<Size>;
  const float* source[P];
  for (int i = 0; i < P; ++i) {
    const int64_t y = tile_y * Size + i - s.pad_top;
    source[i] = y >= 0 && y < s.h ? plane + y * s.w : zeros;
  }
  float* out = rows + s.pad_left;
  for (int64_t column = 0; column < s.w; column += kLanes) {
    Vec x[P], y[P];
#pragma GCC unroll 6
    for (int i = 0; i < P; ++i) x[i] = load(source[i] + column);
    if (next != 0 && column % 16 == 0) {
      const int own = tile_y + 1 == s.tiles_h() ? P : Size;  // the others are the next row's of tiles
      for (int i = 0; i < own; ++i) __builtin_prefetch(source[i] + next + column);
    }
    transform_input(x, y);
#pragma GCC unroll 6
    for (int i = 0; i < P; ++i) {
      if (points.has(i)) store(out + i * floats + column, y[i]);
    }
  }
  if (s.w % kLanes == 0) return;
  for (int64_t i = points.begin; i < points.end; ++i) store(out + i * floats + s.w, Vec{});
}

template <int Size>
FTWT_INLINE void transform_width(const float* row, int64_t tiles_w, int64_t point_stride, float* out) {
  constexpr int P = kPoints<Size>;
  for (int64_t tile = 0; tile < tiles_w; tile += kLanes) {
    Vec first[Size], next[Size], x[P], y[P];
    load_interleaved<Size>(row + tile * Size, first);
    load_interleaved<Size>(row + tile * Size + Size, next);
#pragma GCC unroll 6
    for (int i = 0; i < P; ++i) x[i] = i < Size ? first[i] : next[i - Size];
    transform_input(x, y);
#pragma GCC unroll 6
    for (int i = 0; i < P; ++i) store(out + i * point_stride + tile, y[i]);
  }
}

template <int Size>
void input(const cpu::WinogradShape& s, cpu::PointRows points, const float* plane, float* out, int64_t point_stride,
           float* rows, int64_t next) {
  constexpr int P = kPoints<Size>;
  const int64_t floats = row_floats<Size>(s);
  const float* zeros = rows + P * floats;
  memset(rows, 0, static_cast<size_t>((P + 1) * floats) * sizeof(float));
  for (int64_t tile_y = 0; tile_y < s.tiles_h(); ++tile_y) {
    transform_height<Size>(s, points, plane, tile_y, zeros, rows, floats, next);
    for (int64_t i = points.begin; i < points.end; ++i) {
      transform_width<Size>(rows + i * floats, s.tiles_w(), point_stride, out + i * P * point_stride);
    }
    out += s.tiles_w();
  }
}

template <int Size>
void output(const cpu::WinogradShape& s, const float* products, int64_t point_stride, const cpu::WinogradOutput& o) {
  constexpr int P = kPoints<Size>;
  const Vec bias = splat(o.bias);
  for (int64_t tile_y = 0; tile_y < s.tiles_h(); ++tile_y) {
    const int64_t height = s.out_h - tile_y * Size < Size ? s.out_h - tile_y * Size : Size;
    for (int64_t tile_x = 0; tile_x < s.tiles_w(); tile_x += kLanes) {
      const float* from = products + tile_y * s.tiles_w() + tile_x;
      Vec half[P][Size];  // transformed along the width
#pragma GCC unroll 6
      for (int i = 0; i < P; ++i) {
        Vec x[P];
#pragma GCC unroll 6
        for (int j = 0; j < P; ++j) x[j] = load(from + (i * P + j) * point_stride);
        transform_output(x, half[i]);
      }
      Vec y[Size][Size];
#pragma GCC unroll 4
      for (int j = 0; j < Size; ++j) {
        Vec x[P], column[Size];
#pragma GCC unroll 6
        for (int i = 0; i < P; ++i) x[i] = half[i][j];
        transform_output(x, column);
#pragma GCC unroll 4
        for (int i = 0; i < Size; ++i) y[i][j] = column[i];
      }
      const int64_t left = s.out_w - tile_x * Size;
      for (int64_t i = 0; i < height; ++i) {
        const int64_t at = (tile_y * Size + i) * s.out_w + tile_x * Size;
        Vec lanes[Size];
        interleave<Size>(y[i], lanes);
#pragma GCC unroll 4
        for (int v = 0; v < Size; ++v) {
          const int64_t rest = left - v * kLanes;
          if (rest <= 0) break;
          Vec sum = lanes[v] + bias;
          if (o.residual != nullptr) sum += load_some(o.residual + at + v * kLanes, rest);
          store_some(o.out + at + v * kLanes, activate(sum, o.activation), rest);
        }
      }
    }
  }
}

}  // namespace

std::size_t winograd_scratch_floats(const cpu::WinogradShape& s) {
  return static_cast<std::size_t>(s.size == 4 ? (kPoints<4> + 1) * row_floats<4>(s)
                                              : (kPoints<2> + 1) * row_floats<2>(s));
}

void winograd_input(const cpu::WinogradShape& s, cpu::PointRows points, const float* plane, float* out,
                    int64_t point_stride, float* scratch, int64_t next) {
  return s.size == 4 ? input<4>(s, points, plane, out, point_stride, scratch, next)
                     : input<2>(s, points, plane, out, point_stride, scratch, next);
}

void winograd_output(const cpu::WinogradShape& s, const float* products, int64_t point_stride,
                     const cpu::WinogradOutput& o) {
  return s.size == 4 ? output<4>(s, products, point_stride, o) : output<2>(s, products, point_stride, o);
}

}  // namespace ftwt::FTWT_ISA
