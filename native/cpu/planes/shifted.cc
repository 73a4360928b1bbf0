#include "cpu/gemm/activate.h"
#include "cpu/isa.h"
#include "cpu/planes/deinterleave.h"
#include "cpu/planes/planes.h"

namespace ftwt::FTWT_ISA {
namespace {

#if !defined(__clang__)
constexpr int64_t kPlaneVectors = 4;  // of a plane that is gathered from registers
#endif

FTWT_INLINE int64_t largest(int64_t a, int64_t b) { return a > b ? a : b; }
FTWT_INLINE int64_t smallest(int64_t a, int64_t b) { return a < b ? a : b; }

// What tap k of a dimension reads for output 0: source index k * dilation, counted from the padding's first.
// Its phase is that index modulo the stride, its shift the quotient.
FTWT_INLINE int64_t last_shift(int64_t k, int64_t dilation, int64_t stride) { return (k - 1) * dilation / stride; }

// Phases that some tap reads.
FTWT_INLINE int64_t phases(int64_t k, int64_t dilation, int64_t stride) {
  return smallest(stride, (k - 1) * dilation + 1);
}

FTWT_INLINE void copy_floats(const float* from, int64_t count, float* to) {
  for (int64_t i = 0; i < count; i += kLanes) store_some(to + i, load_some(from + i, count - i), count - i);
}

// Columns of one phase: from..to of the phase, which a row of the plane has.
struct PhaseColumns {
  int64_t from, to;
};

FTWT_INLINE PhaseColumns columns_of_phase(const cpu::PlaneWindow& w, int64_t phase) {
  // Column x of the phase is source column x * stride_w + phase - pad_left.
  const int64_t shift = phase - w.pad_left;
  const int64_t from = shift < 0 ? (-shift + w.stride_w - 1) / w.stride_w : 0;
  const int64_t fitting = w.w - shift > 0 ? (w.w - shift + w.stride_w - 1) / w.stride_w : 0;
  return {from, largest(from, smallest(fitting, w.out_w + last_shift(w.kw, w.dilation_w, w.stride_w)))};
}

// Floats at even places of a row of `count`, and those at odd ones, so many of each.
FTWT_INLINE void split_row(const float* row, int64_t count, float* even, int64_t evens, float* odd, int64_t odds) {
  const int64_t most = largest(evens, odds);
  for (int64_t i = 0; i < most; i += kLanes) {
    const int64_t left = count - 2 * i;
    const Vec a = load_some(row + 2 * i, left);
    const Vec b = left > kLanes ? load_some(row + 2 * i + kLanes, left - kLanes) : Vec{};
    if (i < evens) store_some(even + i, even_lanes(a, b), evens - i);
    if (i < odds) store_some(odd + i, odd_lanes(a, b), odds - i);
  }
}

// The one phase of strides of 1, without a division: planes may be small.
FTWT_INLINE void copy_rows(const cpu::ShiftedLayout& layout, const float* plane, float* shifted) {
  const cpu::PlaneWindow& w = layout.window;
  const int64_t end = smallest(w.w + w.pad_left, w.out_w + (w.kw - 1) * w.dilation_w);
  const int64_t last = smallest(layout.rows, w.h + w.pad_top);
  for (int64_t row = largest(0, w.pad_top); row < last; ++row) {
    copy_floats(plane + (row - w.pad_top) * w.w, end - w.pad_left, shifted + row * layout.row + w.pad_left);
  }
}

// Calls body(row of the plane, row of the phase) for the rows that a phase has of the plane.
template <typename Body>
FTWT_INLINE void for_each_row(const cpu::ShiftedLayout& layout, int64_t phase, const float* plane, const Body& body) {
  const cpu::PlaneWindow& w = layout.window;
  for (int64_t row = 0; row < layout.rows; ++row) {
    const int64_t y = row * w.stride_h + phase - w.pad_top;
    if (y >= 0 && y < w.h) body(plane + y * w.w, row);
  }
}

// All phases of strides of 2: those that no tap reads have no columns.
FTWT_INLINE void split_rows(const cpu::ShiftedLayout& layout, const float* plane, float* shifted) {
  const cpu::PlaneWindow& w = layout.window;
  const int64_t odd = 1 - w.pad_left % 2;  // the phase that has the columns of odd numbers
  const int64_t phases_w = phases(w.kw, w.dilation_w, w.stride_w);
  const auto columns = [&](int64_t phase) { return phase < phases_w ? columns_of_phase(w, phase) : PhaseColumns{}; };
  const PhaseColumns evens = columns(1 - odd), odds = columns(odd);
  for (int64_t phase_y = 0; phase_y < phases(w.kh, w.dilation_h, w.stride_h); ++phase_y) {
    float* to = shifted + phases_w * phase_y * layout.phase;
    for_each_row(layout, phase_y, plane, [&](const float* from, int64_t row) {
      float* at = to + row * layout.row;
      split_row(from, w.w, at + (1 - odd) * layout.phase + evens.from, evens.to - evens.from,
                at + odd * layout.phase + odds.from, odds.to - odds.from);
    });
  }
}

// Output pixels of one row that a tap column reads from the row: out[x] = row[x * stride_w + shift], or 0 beside it.
// Reads and writes whole vectors, up to two before and beyond the row, and one beyond `out`.
FTWT_INLINE void copy_column(const cpu::PlaneWindow& w, const float* row, int64_t shift, float* out) {
  for (int64_t x = 0; x < w.out_w; x += kLanes) {
    const int64_t first = x * w.stride_w + shift;
    if (first >= w.w || first + kLanes * w.stride_w <= 0) {
      store(out + x, Vec{});
      continue;
    }
    const float* from = row + first;
    const Vec v = w.stride_w == 1 ? load(from) : even_lanes(load(from), load(from + kLanes));
    if (first >= 0 && first + kLanes * w.stride_w <= w.w) {
      store(out + x, v);
    } else {
      const IVec at = lane_numbers() * static_cast<int32_t>(w.stride_w) + static_cast<int32_t>(first);
      store(out + x, select((at >= 0) & (at < static_cast<int32_t>(w.w)), v, Vec{}));
    }
  }
}

// Whether windows are as many as a row has pixels, and reach no further beside it than vectors may be read.
FTWT_INLINE bool keeps_rows(const cpu::PlaneWindow& w) {
  return w.stride_h == 1 && w.stride_w == 1 && w.out_w == w.w && w.pad_left <= kLanes &&
         (w.kw - 1) * w.dilation_w - w.pad_left <= kLanes;
}

FTWT_INLINE void store_zeros(float* to, int64_t count) {
  for (int64_t i = 0; i < count; i += kLanes) store(to + i, Vec{});
}

// The copies where keeps_rows(): vectors run on from row to row of the plane.
FTWT_INLINE void copy_kept_rows(const cpu::ShiftedLayout& layout, const float* plane, float* to) {
  const cpu::PlaneWindow& w = layout.window;
  const int64_t first = smallest(largest(0, w.pad_top), layout.rows);
  const int64_t last = largest(first, smallest(layout.rows, w.h + w.pad_top));
  const float* from = plane + (first - w.pad_top) * w.w;
  const int64_t pixels = (last - first) * w.w;
  const auto width = static_cast<int32_t>(w.w);
  const auto step = static_cast<int32_t>(kLanes % w.w);
  const IVec lanes = lane_numbers();
  const IVec rows = __builtin_convertvector((to_float(lanes) + 0.5f) / static_cast<float>(w.w), IVec);
  const IVec columns = lanes - rows * width;
  for (int64_t kx = 0; kx < w.kw; ++kx, to += layout.phase) {
    const auto shift = static_cast<int32_t>(kx * w.dilation_w - w.pad_left);
    store_zeros(to, first * w.w);
    float* out = to + first * w.w;
    IVec x = columns + shift;
    for (int64_t i = 0; i < pixels; i += kLanes) {
      store(out + i, select((x >= 0) & (x < width), load(from + i + shift), Vec{}));
      x += step;
      x -= (x >= width + shift) & width;
    }
    store_zeros(to + last * w.w, layout.phase - last * w.w);
  }
}

// Rows in ascending order: what is written beyond one is overwritten by the next.
FTWT_INLINE void copy_columns(const cpu::ShiftedLayout& layout, const float* plane, float* to) {
  const cpu::PlaneWindow& w = layout.window;
  const int64_t phases_h = phases(w.kh, w.dilation_h, w.stride_h);
  for (int64_t kx = 0; kx < w.kw; ++kx) {
    const int64_t shift = kx * w.dilation_w - w.pad_left;
    for (int64_t phase = 0; phase < phases_h; ++phase) {
      for (int64_t i = 0; i < layout.rows; ++i, to += w.out_w) {
        const int64_t y = i * w.stride_h + phase - w.pad_top;
        if (y < 0 || y >= w.h) {
          for (int64_t x = 0; x < w.out_w; x += kLanes) store(to + x, Vec{});
        } else if (w.stride_w <= 2) {
          copy_column(w, plane + y * w.w, shift, to);
        } else {
          for (int64_t x = 0; x < w.out_w; ++x) {
            const int64_t at = x * w.stride_w + shift;
            to[x] = at >= 0 && at < w.w ? plane[y * w.w + at] : 0.0f;
          }
        }
      }
    }
  }
}

}  // namespace

cpu::ShiftedLayout shifted_layout(const cpu::PlaneWindow& w, bool flat) {
  if (flat) {
    const int64_t rows = w.out_h + last_shift(w.kh, w.dilation_h, w.stride_h);
    const int64_t lines = (w.kw * phases(w.kh, w.dilation_h, w.stride_h) * rows * w.out_w + 16 + 15) / 16;
    return {w, true, w.out_w, rows, rows * w.out_w, (lines | 1) * 16};
  }
  const int64_t shift_w = last_shift(w.kw, w.dilation_w, w.stride_w);
  // With stride 1 the zeros to the right of a row are those to the left of the next.
  const int64_t pad_right = (w.out_w - 1) * w.stride_w + (w.kw - 1) * w.dilation_w + 1 - w.pad_left - w.w;
  const int64_t shared = w.stride_w == 1 ? largest(0, smallest(w.pad_left, pad_right)) : 0;
  const int64_t row = w.out_w + shift_w - shared;
  const int64_t rows = w.out_h + last_shift(w.kh, w.dilation_h, w.stride_h);
  // The last row's shared zeros lie behind it; an odd number of cache lines keeps channels apart in the cache's sets.
  const int64_t phase = rows * row + shared;
  const int64_t lines =
      (phases(w.kh, w.dilation_h, w.stride_h) * phases(w.kw, w.dilation_w, w.stride_w) * phase + 15) / 16;
  return {w, false, row, rows, phase, (lines | 1) * 16};
}

void shifted_offsets(const cpu::ShiftedLayout& layout, int32_t* tap_offset) {
  const cpu::PlaneWindow& w = layout.window;
  const int64_t phases_w = phases(w.kw, w.dilation_w, w.stride_w);
  for (int64_t ky = 0; ky < w.kh; ++ky) {
    for (int64_t kx = 0; kx < w.kw; ++kx) {
      const int64_t y = ky * w.dilation_h, x = kx * w.dilation_w;
      if (layout.flat) {
        const int64_t phases_h = phases(w.kh, w.dilation_h, w.stride_h);
        *tap_offset++ =
            static_cast<int32_t>((kx * phases_h + y % w.stride_h) * layout.phase + y / w.stride_h * layout.row);
        continue;
      }
      const int64_t at =
          (y % w.stride_h * phases_w + x % w.stride_w) * layout.phase + y / w.stride_h * layout.row + x / w.stride_w;
      *tap_offset++ = static_cast<int32_t>(at);
    }
  }
}

void shift_plane(const cpu::ShiftedLayout& layout, const float* plane, float* shifted) {
  const cpu::PlaneWindow& w = layout.window;
  if (layout.flat) return keeps_rows(w) ? copy_kept_rows(layout, plane, shifted) : copy_columns(layout, plane, shifted);
  memset(shifted, 0, static_cast<size_t>(layout.stride) * sizeof(float));
  if (w.stride_h == 1 && w.stride_w == 1) return copy_rows(layout, plane, shifted);
  const int64_t phases_w = phases(w.kw, w.dilation_w, w.stride_w);
  if (w.stride_w == 2) return split_rows(layout, plane, shifted);
  for (int64_t phase_y = 0; phase_y < phases(w.kh, w.dilation_h, w.stride_h); ++phase_y) {
    for (int64_t phase_x = 0; phase_x < phases_w; ++phase_x) {
      float* to = shifted + (phase_y * phases_w + phase_x) * layout.phase;
      const PhaseColumns columns = columns_of_phase(w, phase_x);
      for_each_row(layout, phase_y, plane, [&](const float* from, int64_t row) {
        from += phase_x - w.pad_left;
        if (w.stride_w == 1) {
          return copy_floats(from + columns.from, columns.to - columns.from, to + row * layout.row + columns.from);
        }
        for (int64_t x = columns.from; x < columns.to; ++x) to[row * layout.row + x] = from[x * w.stride_w];
      });
    }
  }
}

void finish_rows(const float* sums, int64_t row, int64_t rows, int64_t width, const float* residual,
                 Activation activation, float* plane) {
  for (int64_t y = 0; y < rows; ++y) {
    for (int64_t x = 0; x < width; x += kLanes) {
      const int64_t at = y * width + x;
      Vec v = load_some(sums + y * row + x, width - x);
      if (residual != nullptr) v += load_some(residual + at, width - x);
      store_some(plane + at, activate(v, activation), width - x);
    }
  }
}

void gather_windows(const float* plane, int64_t plane_pixels, const int32_t* index, int64_t index_stride, int64_t taps,
                    int64_t pixels, float* to, int64_t tap_floats) {
#if !defined(__clang__)
  if (kLanes > 4 && plane_pixels <= kPlaneVectors * kLanes) {
    Vec parts[kPlaneVectors];
#pragma GCC unroll 4
    for (int64_t v = 0; v < kPlaneVectors; ++v) {
      const int64_t left = plane_pixels - v * kLanes;
      parts[v] = left > 0 ? load_some(plane + v * kLanes, left) : Vec{};
    }
    for (int64_t t = 0; t < taps; ++t, index += index_stride, to += tap_floats) {
      for (int64_t i = 0; i < pixels; i += kLanes) {
        const IVec from = *reinterpret_cast<const IVecU*>(index + i);
        Vec v = __builtin_shuffle(parts[0], parts[1], from);
        if (plane_pixels > 2 * kLanes) {
          v = select((from & (2 * kLanes)) != 0, __builtin_shuffle(parts[2], parts[3], from), v);
        }
        store_some(to + i, select(from < 0, Vec{}, v), pixels - i);
      }
    }
    return;
  }
#endif
  for (int64_t t = 0; t < taps; ++t, index += index_stride, to += tap_floats) {
    for (int64_t i = 0; i < pixels; ++i) to[i] = index[i] < 0 ? 0.0f : plane[index[i]];
  }
}

}  // namespace ftwt::FTWT_ISA
