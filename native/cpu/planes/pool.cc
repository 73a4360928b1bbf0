#include "cpu/isa.h"
#include "cpu/planes/deinterleave.h"
#include "cpu/planes/planes.h"

namespace ftwt::FTWT_ISA {
namespace {

FTWT_INLINE Vec join(Vec v, Vec result, int average) { return average ? result + v : vmax(v, result); }  // skips NaN

// One row: cells of a column joined, and as many columns of padding around them as windows reach.
FTWT_INLINE void join_rows(const cpu::PlaneWindow& w, int average, const float* plane, int64_t begin, int64_t end,
                           float* columns) {
  for (int64_t x = 0; x < w.w; x += kLanes) {
    const int64_t left = w.w - x;
    Vec v = splat(average ? 0.0f : -__builtin_inff());
    for (int64_t y = begin; y < end; ++y) v = join(load_some(plane + y * w.w + x, left), v, average);
    store_some(columns + w.pad_left + x, v, left);
  }
}

FTWT_INLINE Vec load_cells(const float* columns, int64_t stride) {
  if (stride == 1) return load(columns);
  Vec cells = {};
  for (int64_t i = 0; i < kLanes; ++i) cells[i] = columns[i * stride];
  return cells;
}

// Whether no window of 2x2 cells shares any with another, nor has any beside the image.
FTWT_INLINE bool halves(const cpu::PlaneWindow& w) {
  return w.kh == 2 && w.kw == 2 && w.stride_h == 2 && w.stride_w == 2 && w.pad_top == 0 && w.pad_left == 0 &&
         2 * w.out_h <= w.h && 2 * w.out_w <= w.w;
}

FTWT_INLINE void largest_of_four(const cpu::PlaneWindow& w, const float* plane, float* out) {
  const Vec least = splat(-__builtin_inff());
  for (int64_t y = 0; y < w.out_h; ++y, plane += 2 * w.w, out += w.out_w) {
    const auto of_rows = [&](int64_t x) __attribute__((always_inline)) {
      return join(load(plane + w.w + x), join(load(plane + x), least, 0), 0);
    };
    for (int64_t x = 0; x < w.out_w; x += kLanes) {
      const Vec a = of_rows(2 * x);
      const Vec b = 2 * (w.out_w - x) > kLanes ? of_rows(2 * x + kLanes) : a;
      store_some(out + x, vmax(even_lanes(a, b), odd_lanes(a, b)), w.out_w - x);
    }
  }
}

}  // namespace

int64_t pool_scratch_floats(const cpu::PlaneWindow& w) {
  const int64_t reach = w.pad_left + w.w;
  const int64_t windows = (w.out_w - 1) * w.stride_w + w.kw;
  return (reach > windows ? reach : windows) + w.kw + 2 * w.stride_w * kLanes;
}

void plane_pool(const cpu::PlaneWindow& w, int average, const float* plane, float* columns, float* out) {
  if (!average && halves(w)) return largest_of_four(w, plane, out);
  const int64_t floats = pool_scratch_floats(w);
  for (int64_t i = 0; i < floats; ++i) columns[i] = average ? 0.0f : -__builtin_inff();
  for (int64_t y = 0; y < w.out_h; ++y, out += w.out_w) {
    const int64_t top = y * w.stride_h - w.pad_top;
    const int64_t begin = top < 0 ? 0 : top;
    const int64_t end = top + w.kh < w.h ? top + w.kh : w.h;
    join_rows(w, average, plane, begin, end, columns);
    for (int64_t x = 0; x < w.out_w; x += kLanes) {
      Vec v = splat(average ? 0.0f : -__builtin_inff());
      if (w.stride_w == 2) {
        for (int64_t k = 0; k < w.kw; k += 2) {
          Vec part[2];
          load_interleaved<2>(columns + 2 * x + k, part);
          v = join(part[0], v, average);
          if (k + 1 < w.kw) v = join(part[1], v, average);
        }
      } else {
        for (int64_t k = 0; k < w.kw; ++k) v = join(load_cells(columns + x * w.stride_w + k, w.stride_w), v, average);
      }
      store_some(out + x, v, w.out_w - x);
    }
    if (!average) continue;
    for (int64_t x = 0; x < w.out_w; ++x) {
      const int64_t left = x * w.stride_w - w.pad_left;
      const int64_t first = left < 0 ? 0 : left;
      const int64_t last = left + w.kw < w.w ? left + w.kw : w.w;
      out[x] /= static_cast<float>((end - begin) * (last - first));
    }
  }
}

}  // namespace ftwt::FTWT_ISA
