// The last pixels of a product, where few would have a vector to themselves: of 49 or 196 pixels, say.
#pragma once
#include "cpu/gemm/activate.h"
#include "cpu/isa.h"
#include "cpu/planes/deinterleave.h"
#include "cpu/planes/gemm_pack.h"
#include "cpu/planes/planes.h"

namespace ftwt::FTWT_ISA {
namespace {

constexpr int kMostLast = kLanes / 4;         // pixels; more are worth a vector
constexpr int64_t kLastDepth = 32;            // of the sum for each pixel, that pays for the way to the output
constexpr int64_t kLastFloats = 16384;        // of what the last pixels multiply
constexpr int64_t kLastWeights = 128 * 1024;  // of the rows that are multiplied with the last pixels at a time
constexpr int64_t kLastRows = 2 * kLanes;     // a multiple of these
constexpr int kLoneRows = 4;                  // that share a load of the pixels

FTWT_INLINE int64_t last_pixels_of(const cpu::PlaneGemm& g) { return g.pixels > kLanes ? g.pixels % kLanes : 0; }

// Pixels that panels are multiplied with in another way than vectors are, to the same bits.
FTWT_INLINE int64_t panel_last_pixels(const cpu::PlaneGemm& g) {
  const int64_t last = last_pixels_of(g);
  const int64_t depth = g.columns.count * g.taps;
  const bool fits =
      g.panels != nullptr && last <= kMostLast && depth >= kLastDepth * last && depth * last <= kLastFloats;
  return fits ? last : 0;
}

// The same of rows of weights, where sums may run in another order. Where few columns are listed, a vector for each
// costs less than whole rows.
FTWT_INLINE int64_t lone_pixels(const cpu::PlaneGemm& g) {
  const int64_t last = last_pixels_of(g);
  const bool fits = g.lone_pixels && last <= kMostLast && g.panels == nullptr && g.row_stride * last <= kLastFloats &&
                    g.columns.count > 0 && g.columns.count * kLanes > (last + 1) * g.columns.index[g.columns.count - 1];
  return fits ? last : 0;
}

template <typename Body>
FTWT_INLINE auto with_count(int64_t count, const Body& body) {
  switch (count) {
    case 1: return body.template operator()<1>();
    case 2: return body.template operator()<2>();
    case 3: return body.template operator()<3>();
    default: return body.template operator()<4>();
  }
}

FTWT_INLINE void copy_quad(const float* from, float* to) {
  *reinterpret_cast<QuadU*>(to) = *reinterpret_cast<const QuadU*>(from);
}

// Sums of the last `Count` pixels of the rows [first, first + count): values[p], a lane for each row.
template <int Count>
FTWT_INLINE void write_last(const cpu::PlaneGemm& g, cpu::ChannelList rows, int64_t first, int64_t count,
                            Vec (&values)[Count]) {
  const int64_t pixel = g.pixels - Count;
  float lanes[Count][kLanes];
  if (g.residual != nullptr) {
    for (int p = 0; p < Count; ++p) {
      store(lanes[p], Vec{});
      for (int64_t m = 0; m < count; ++m) {
        lanes[p][m] = g.residual[rows.index[first + m] * g.residual_stride + pixel + p];
      }
      values[p] += load(lanes[p]);
    }
  }
  for (int p = 0; p < Count; ++p) values[p] = activate(values[p], g.activation);
  const auto out = [&](int64_t m) {
    return g.out + (g.compact ? first + m : rows.index[first + m]) * g.out_stride + pixel;
  };
  if constexpr (Count == 4) {
    Vec quads[4];
    interleave<4>(values, quads);
    for (int p = 0; p < 4; ++p) store(lanes[p], quads[p]);
    for (int64_t m = 0; m < count; ++m) copy_quad(&lanes[0][0] + 4 * m, out(m));
    return;
  }
  for (int p = 0; p < Count; ++p) store(lanes[p], values[p]);
  for (int64_t m = 0; m < count; ++m) {
#pragma GCC unroll 4
    for (int p = 0; p < Count; ++p) out(m)[p] = lanes[p][m];
  }
}

FTWT_INLINE Vec bias_of(const cpu::PlaneGemm& g, const int32_t* rows, int64_t count) {
  float bias[kLanes];
  store(bias, Vec{});
  for (int64_t m = 0; m < count && g.bias != nullptr; ++m) bias[m] = g.bias[rows[m]];
  return load(bias);
}

// ---- Panels: lanes are rows -----------------------------------------------------------------------------------------

// The weights of kLanes rows: of one panel, or of two that are `next` floats apart.
FTWT_INLINE Vec load_rows(const float* panel, int64_t next) {
#if defined(FTWT_ISA_avx512)
  const __m512d low = _mm512_castpd256_pd512(_mm256_loadu_pd(reinterpret_cast<const double*>(panel)));
  const __m256d high = _mm256_loadu_pd(reinterpret_cast<const double*>(panel + next));
  return reinterpret_cast<Vec>(_mm512_mask_broadcast_f64x4(low, 0xf0, high));
#elif defined(FTWT_ISA_avx2)
  return _mm256_insertf128_ps(_mm256_castps128_ps256(_mm_loadu_ps(panel)), _mm_loadu_ps(panel + next), 1);
#else
  static_cast<void>(next);
  return load(panel);
#endif
}

template <int Count, int Groups>
FTWT_INLINE void last_of_panels(const cpu::PlaneGemm& g, cpu::ChannelList rows, int64_t first, const float* panels,
                                int64_t depth, const float* x) {
  const int64_t next = kPanelRows * depth;
  Vec acc[Groups][Count];
  for (int i = 0; i < Groups; ++i) {
    const Vec bias = bias_of(g, rows.index + first + i * kLanes, kLanes);
    for (int p = 0; p < Count; ++p) acc[i][p] = bias;
  }
  for (int64_t d = 0; d < depth; ++d, panels += kPanelRows, x += Count) {
    Vec pixels[Count];
#pragma GCC unroll 4
    for (int p = 0; p < Count; ++p) pixels[p] = splat(x[p]);
#pragma GCC unroll 4
    for (int i = 0; i < Groups; ++i) {
      const Vec weights = load_rows(panels + i * (kLanes / kPanelRows) * next, next);
#pragma GCC unroll 4
      for (int p = 0; p < Count; ++p) acc[i][p] = multiply_add(acc[i][p], weights, pixels[p]);
    }
  }
  for (int i = 0; i < Groups; ++i) write_last<Count>(g, rows, first + i * kLanes, kLanes, acc[i]);
}

// Whole vectors of rows; returns how many rows these are.
template <int Count>
__attribute__((noinline)) int64_t run_panel_last(const cpu::PlaneGemm& g, cpu::ChannelList rows) {
  alignas(64) float x[kLastFloats];
  const int64_t depth = g.columns.count * g.taps;
  float* to = x;
  for (int64_t j = 0; j < g.columns.count; ++j) {
    const float* column = g.b + (g.packed ? j : g.columns.index[j]) * g.b_stride + g.pixels - Count;
    for (int64_t t = 0; t < g.taps; ++t, to += Count) {
      if constexpr (Count == 4) {
        copy_quad(column + g.tap_offset[t], to);
      } else {
        for (int p = 0; p < Count; ++p) to[p] = column[g.tap_offset[t] + p];
      }
    }
  }
  const auto panels = [&](int64_t first) { return g.panels + (g.listed ? first : rows.index[first]) * depth; };
  int64_t first = 0;
  if constexpr (Count == 1) {
    for (; first + 4 * kLanes <= rows.count; first += 4 * kLanes) {
      last_of_panels<1, 4>(g, rows, first, panels(first), depth, x);
    }
  }
  for (; first + 2 * kLanes <= rows.count; first += 2 * kLanes) {
    last_of_panels<Count, 2>(g, rows, first, panels(first), depth, x);
  }
  for (; first + kLanes <= rows.count; first += kLanes) {
    last_of_panels<Count, 1>(g, rows, first, panels(first), depth, x);
  }
  return first;
}

FTWT_INLINE int64_t run_panel_last(const cpu::PlaneGemm& g, cpu::ChannelList rows, int64_t count) {
  return with_count(count, [&]<int Count>() { return run_panel_last<Count>(g, rows); });
}

// ---- Rows of weights: lanes are columns -----------------------------------------------------------------------------

template <int MR, int Count>
FTWT_INLINE void lone_rows(const cpu::PlaneGemm& g, const int32_t* rows, const float* x, int64_t length,
                           Vec (*sums)[kLanes]) {
  const float* weights[MR];
  Vec acc[MR][Count] = {};
  for (int m = 0; m < MR; ++m) weights[m] = g.weights + rows[m] * g.row_stride;
  for (int64_t k = 0; k < length; k += kLanes) {
    Vec v[Count];
#pragma GCC unroll 4
    for (int p = 0; p < Count; ++p) v[p] = load(x + p * length + k);
#pragma GCC unroll 4
    for (int m = 0; m < MR; ++m) {
      const Vec w = load(weights[m] + k);
#pragma GCC unroll 4
      for (int p = 0; p < Count; ++p) acc[m][p] = multiply_add(acc[m][p], w, v[p]);
    }
  }
  for (int m = 0; m < MR; ++m) {
    for (int p = 0; p < Count; ++p) sums[p][m] = acc[m][p];
  }
}

// Products of whole rows of weights, in which columns that are not listed meet zeros. Rows are zeros from their last
// weight to a multiple of 16.
template <int Count>
__attribute__((noinline)) void run_lone_pixels(const cpu::PlaneGemm& g, cpu::ChannelList rows) {
  alignas(64) float x[kLastFloats];
  const int64_t floats = (g.columns.index[g.columns.count - 1] + 1) * g.taps;
  const int64_t length = (floats + kLanes - 1) / kLanes * kLanes;
  for (int64_t k = 0; k < Count * length; k += kLanes) store(x + k, Vec{});
  for (int64_t j = 0; j < g.columns.count; ++j) {
    const float* column = g.b + (g.packed ? j : g.columns.index[j]) * g.b_stride + g.pixels - Count;
    for (int64_t t = 0; t < g.taps; ++t) {
      for (int p = 0; p < Count; ++p) x[p * length + g.columns.index[j] * g.taps + t] = column[g.tap_offset[t] + p];
    }
  }
  for (int64_t first = 0; first < rows.count; first += kLanes) {
    const int64_t count = rows.count - first < kLanes ? rows.count - first : kLanes;
    Vec products[Count][kLanes] = {};
    int64_t m = 0;
    const auto place = [&](int64_t row) { return reinterpret_cast<Vec(*)[kLanes]>(&products[0][row]); };
    for (; m + kLoneRows <= count; m += kLoneRows) {
      lone_rows<kLoneRows, Count>(g, rows.index + first + m, x, length, place(m));
    }
    for (; m < count; ++m) lone_rows<1, Count>(g, rows.index + first + m, x, length, place(m));
    const Vec bias = bias_of(g, rows.index + first, count);
    Vec sums[Count];
    for (int p = 0; p < Count; ++p) {
      sums[p] = bias + reduce_lanes<kLanes>(products[p], [](Vec a, Vec b) { return a + b; });
    }
    write_last<Count>(g, rows, first, count, sums);
  }
}

FTWT_INLINE void run_lone_pixels(const cpu::PlaneGemm& g, cpu::ChannelList rows, int64_t count) {
  with_count(count, [&]<int Count>() { run_lone_pixels<Count>(g, rows); });
}

}  // namespace
}  // namespace ftwt::FTWT_ISA
