#include "cpu/gemm/activate.h"
#include "cpu/isa.h"
#include "cpu/planes/planes.h"
#include "cpu/planes/transpose.h"

namespace ftwt::FTWT_ISA {
namespace {

// Of a strip of rows, in floats: its pixels, with lanes for channels, stay in the first-level cache.
constexpr int64_t kStripFloats = 6 * 1024;

// Rows of the output that are computed at once, and what they read. Pixels have kLanes channels each.
struct Strip {
  int64_t rows;        // of the output, at most
  int64_t width;       // of a padded row of the input
  int64_t in_floats;   // of the padded rows that they read
  int64_t out_floats;  // readable up to a vector of pixels beyond
};

FTWT_INLINE Strip strip_of(const cpu::PlaneWindow& w) {
  const int64_t width = (w.out_w - 1) * w.stride_w + (w.kw - 1) * w.dilation_w + 1;
  const int64_t reach = (w.kh - 1) * w.dilation_h + 1;
  const int64_t row_floats = (w.stride_h * width + w.out_w) * kLanes;
  const int64_t left = kStripFloats - reach * width * kLanes;
  int64_t rows = left > 0 ? left / row_floats : 1;
  rows = rows < 1 ? 1 : rows > w.out_h ? w.out_h : rows;
  return {rows, width, ((rows - 1) * w.stride_h + reach) * width * kLanes, rows * w.out_w * kLanes};
}

// Rows [first, end) of the padded input, pixel by pixel. Reads up to a vector beyond each plane.
FTWT_INLINE void turn_input(const cpu::PlaneWindow& w, const float* const (&planes)[kLanes], int64_t first, int64_t end,
                            const Strip& strip, float* to) {
  const int64_t begin = first < w.pad_top ? w.pad_top : first;
  const int64_t stop = end < w.pad_top + w.h ? end : w.pad_top + w.h;
  memset(to, 0, static_cast<size_t>((end - first) * strip.width * kLanes) * sizeof(float));
  if (begin >= stop) return;
  float* row = to + ((begin - first) * strip.width + w.pad_left) * kLanes;
  int64_t x = 0;
  const int64_t visible = strip.width - w.pad_left < w.w ? strip.width - w.pad_left : w.w;
  for (int64_t i = (begin - w.pad_top) * w.w; i < (stop - w.pad_top) * w.w; i += kLanes) {
    Vec lanes[kLanes];
#pragma GCC unroll 16
    for (int c = 0; c < kLanes; ++c) lanes[c] = load(planes[c] + i);
    transpose(lanes);
    if (x + kLanes <= visible) {
#pragma GCC unroll 16
      for (int p = 0; p < kLanes; ++p) store(row + (x + p) * kLanes, lanes[p]);
      x += kLanes;
    } else {
      const int64_t pixels = (stop - w.pad_top) * w.w - i;
      for (int p = 0; p < kLanes && p < pixels; ++p) {
        if (x == w.w) {
          x = 0;
          row += strip.width * kLanes;
        }
        if (x < visible) store(row + x * kLanes, lanes[p]);
        ++x;
      }
    }
    if (x == w.w) {
      x = 0;
      row += strip.width * kLanes;
    }
  }
}

struct Sums {
  const cpu::PlaneWindow& window;
  const Strip& strip;
  const float* weights;  // [taps + 1, kLanes]: the last are the bias
  Activation activation;
};

// `Count` outputs of one row. Taps 0: as many as the window has.
template <int Taps, int Count>
FTWT_INLINE void output_pixels(const Sums& s, const float* from, float* to) {
  const cpu::PlaneWindow& w = s.window;
  const int64_t kh = Taps == 9 ? 3 : w.kh, kw = Taps == 9 ? 3 : w.kw;
  Vec sum[Count];
#pragma GCC unroll 4
  for (int i = 0; i < Count; ++i) sum[i] = load(s.weights + kh * kw * kLanes);
#pragma GCC unroll 3
  for (int64_t ky = 0; ky < kh; ++ky) {
    const float* at = from + ky * w.dilation_h * s.strip.width * kLanes;
#pragma GCC unroll 3
    for (int64_t kx = 0; kx < kw; ++kx, at += w.dilation_w * kLanes) {
      const Vec weight = load(s.weights + (ky * kw + kx) * kLanes);
#pragma GCC unroll 4
      for (int i = 0; i < Count; ++i) sum[i] += weight * load(at + i * w.stride_w * kLanes);
    }
  }
#pragma GCC unroll 4
  for (int i = 0; i < Count; ++i) store(to + i * kLanes, activate(sum[i], s.activation));
}

template <int Taps>
void output_rows(const Sums& s, int64_t rows, const float* in, float* out) {
  const cpu::PlaneWindow& w = s.window;
  constexpr int kAtOnce = 4;  // sums hide each other's latency
  for (int64_t y = 0; y < rows; ++y, in += w.stride_h * s.strip.width * kLanes, out += w.out_w * kLanes) {
    int64_t x = 0;
    const auto from = [&] { return in + x * w.stride_w * kLanes; };
    for (; x + kAtOnce <= w.out_w; x += kAtOnce) output_pixels<Taps, kAtOnce>(s, from(), out + x * kLanes);
    for (; x < w.out_w; ++x) output_pixels<Taps, 1>(s, from(), out + x * kLanes);
  }
}

// [taps + 1, kLanes] from rows of each channel.
FTWT_INLINE void turn_weights(const float* const (&rows)[kLanes], int64_t floats, float* to) {
  for (int64_t i = 0; i < floats; i += kLanes) {
    Vec lanes[kLanes];
#pragma GCC unroll 16
    for (int c = 0; c < kLanes; ++c) lanes[c] = load(rows[c] + i);
    transpose(lanes);
#pragma GCC unroll 16
    for (int t = 0; t < kLanes; ++t) store(to + (i + t) * kLanes, lanes[t]);
  }
}

FTWT_INLINE void turn_output(const float* from, int64_t pixels, float* const (&planes)[kLanes], int64_t count) {
  for (int64_t i = 0; i < pixels; i += kLanes) {
    Vec lanes[kLanes];
#pragma GCC unroll 16
    for (int p = 0; p < kLanes; ++p) lanes[p] = load(from + (i + p) * kLanes);
    transpose(lanes);
    for (int64_t c = 0; c < count; ++c) store_some(planes[c] + i, lanes[c], pixels - i);
  }
}

}  // namespace

int64_t vector_lanes() { return kLanes; }

int64_t depthwise_scratch_floats(const cpu::PlaneWindow& w) {
  const Strip strip = strip_of(w);
  return strip.in_floats + strip.out_floats + (cpu::depthwise_weights(w) + kLanes) * kLanes;
}

void depthwise_channels(const cpu::PlaneWindow& w, const cpu::DepthwiseChannels& channels, Activation activation,
                        float* scratch) {
  const Strip strip = strip_of(w);
  const float* planes[kLanes];
  const float* rows[kLanes];
  float* out[kLanes];
  for (int c = 0; c < kLanes; ++c) {
    const int64_t i = c < channels.count ? c : 0;
    planes[c] = channels.planes[i];
    rows[c] = channels.weights[i];
    out[c] = channels.out[i];
  }
  float* weights = scratch;
  float* in = weights + cpu::depthwise_weights(w) * kLanes;
  float* sums = in + strip.in_floats;
  turn_weights(rows, cpu::depthwise_weights(w), weights);
  const Sums s = {w, strip, weights, activation};
  const bool nine = w.kh == 3 && w.kw == 3;
  for (int64_t y = 0; y < w.out_h; y += strip.rows) {
    const int64_t count = y + strip.rows < w.out_h ? strip.rows : w.out_h - y;
    const int64_t first = y * w.stride_h;
    turn_input(w, planes, first, first + (count - 1) * w.stride_h + (w.kh - 1) * w.dilation_h + 1, strip, in);
    nine ? output_rows<9>(s, count, in, sums) : output_rows<0>(s, count, in, sums);
    turn_output(sums, count * w.out_w, out, channels.count);
    for (int c = 0; c < kLanes; ++c) out[c] += count * w.out_w;
  }
}

namespace {

FTWT_INLINE IVec lanes_from(int64_t first) {
  IVec lanes = {};
  for (int i = 0; i < kLanes; ++i) lanes[i] = static_cast<int32_t>(first) + i;
  return lanes;
}

// Which lanes of a tap's vector lie in the row.
template <int Stride>
FTWT_INLINE IVec lanes_inside(const cpu::PlaneWindow& w, int64_t column) {
  IVec at = lanes_from(column);
  if constexpr (Stride == 2) {
    const Vec turned = even_turned(reinterpret_cast<Vec>(at), reinterpret_cast<Vec>(lanes_from(column + kLanes)));
    at = reinterpret_cast<IVec>(turned);
  }
  return (at >= 0) & (at < static_cast<int32_t>(w.w));
}

// A vector of outputs of every row. `Edge`: taps may lie beside the image.
template <bool Edge>
FTWT_INLINE void plane_columns(const cpu::PlaneWindow& w, const float* plane, const float* weights, int64_t x,
                               Activation activation, float* out) {
  const Vec bias = splat(weights[w.kh * w.kw]);
  for (int64_t y = 0; y < w.out_h; ++y) {
    Vec sum = bias;
    const int64_t top = y - w.pad_top;
    const float* row = plane + top * w.w + x - w.pad_left;
    for (int64_t ky = 0; ky < w.kh; ++ky, row += w.dilation_h * w.w) {
      const int64_t i = top + ky * w.dilation_h;
      if (i < 0 || i >= w.h) continue;
      for (int64_t kx = 0; kx < w.kw; ++kx) {
        Vec v = load(row + kx * w.dilation_w);
        if (Edge) v = select(lanes_inside<1>(w, x + kx * w.dilation_w - w.pad_left), v, Vec{});
        sum += splat(weights[ky * w.kw + kx]) * v;
      }
    }
    store_some(out + y * w.out_w + x, activate(sum, activation), w.out_w - x);
  }
}

void plane(const cpu::PlaneWindow& w, const float* in, const float* weights, Activation activation, float* out) {
  const int64_t reach = (w.kw - 1) * w.dilation_w - w.pad_left;
  for (int64_t x = 0; x < w.out_w; x += kLanes) {
    if (x >= w.pad_left && x + kLanes + reach <= w.w) {
      plane_columns<false>(w, in, weights, x, activation, out);
    } else {
      plane_columns<true>(w, in, weights, x, activation, out);
    }
  }
}

// The three taps of a row, those of `Masked` (one bit for each) zeros beside it. For stride 2 in the order of
// even_turned().
template <int Stride, int Masked>
FTWT_INLINE void load_taps(const float* p, const IVec (&inside)[3], Vec (&v)[3]) {
  if constexpr (Stride == 1) {
    for (int kx = 0; kx < 3; ++kx) v[kx] = load(p + kx);
  } else {
    const Vec a = load(p), b = load(p + kLanes);
    v[0] = even_turned(a, b);
    v[1] = odd_turned(a, b);
    v[2] = even_turned(load(p + 2), load(p + kLanes + 2));
  }
#pragma GCC unroll 3
  for (int kx = 0; kx < 3; ++kx) {
    if (Masked >> kx & 1) v[kx] = select(inside[kx], v[kx], Vec{});
  }
}

// Vectors of outputs of `Rows` neighbouring rows from Rows + 2 rows of input, of which nullptr is zeros.
template <int Stride, int Rows, int Masked>
FTWT_INLINE void window_sums(const float* const* rows, int64_t column, const Vec (&weights)[10],
                             const IVec (&inside)[3], Vec (&sums)[Rows]) {
#pragma GCC unroll 2
  for (int r = 0; r < Rows; ++r) sums[r] = weights[9];
#pragma GCC unroll 4
  for (int i = 0; i < Rows + 2; ++i) {
    if (rows[i] == nullptr) continue;
    Vec v[3];
    load_taps<Stride, Masked>(rows[i] + column, inside, v);
#pragma GCC unroll 2
    for (int r = 0; r < Rows; ++r) {
      const int ky = i - r;
      if (ky < 0 || ky > 2) continue;
#pragma GCC unroll 3
      for (int kx = 0; kx < 3; ++kx) sums[r] += weights[ky * 3 + kx] * v[kx];
    }
  }
}

// Vectors of a row whose taps do not all lie in it.
struct Edges {
  static constexpr int kMost = 4;
  int count;
  int64_t x[kMost];
  int masked[kMost];  // taps of which a pixel's lies beside the row, one bit for each
  IVec inside[kMost][3];
};

template <int Stride>
FTWT_INLINE void add_edge(const cpu::PlaneWindow& w, int64_t x, Edges& edges) {
  const int64_t lanes = w.out_w - x < kLanes ? w.out_w - x : kLanes;
  int masked = 0;
  for (int kx = 0; kx < 3; ++kx) {
    const int64_t first = x * Stride - w.pad_left + kx;
    edges.inside[edges.count][kx] = lanes_inside<Stride>(w, first);
    if (first < 0 || first + (lanes - 1) * Stride >= w.w) masked |= 1 << kx;
  }
  edges.x[edges.count] = x;
  edges.masked[edges.count] = masked;
  ++edges.count;
}

// Row by row, as memory is read fastest; two at a time where they share what they read.
template <int Stride>
void plane_of_nine(const cpu::PlaneWindow& w, const float* in, const float* taps, Activation activation, float* out) {
  Vec weights[10];
  for (int i = 0; i < 10; ++i) weights[i] = splat(taps[i]);
  const auto column_of = [&](int64_t x) { return x * Stride - w.pad_left; };
  // Vectors whose taps all lie in the row: [begin, end).
  int64_t begin = 0, end = 0;
  while (begin < w.out_w && column_of(begin) < 0) begin += kLanes;
  for (end = begin; end + kLanes <= w.out_w && column_of(end + kLanes - 1) + 3 <= w.w;) end += kLanes;
  Edges edges = {};
  for (int64_t x = begin == 0 ? end : 0; x < w.out_w && edges.count < Edges::kMost;) {
    add_edge<Stride>(w, x, edges);
    x = x + kLanes == begin ? end : x + kLanes;
  }
  const auto row_of = [&](int64_t y, int64_t ky) {
    const int64_t i = y * w.stride_h + ky * w.dilation_h - w.pad_top;
    return i >= 0 && i < w.h ? in + i * w.w : nullptr;
  };
  const auto run = [&]<int Rows>(const float* const* rows, float* to) __attribute__((always_inline)) {
    const auto vectors = [&]<int Masked>(int64_t x, const IVec(&inside)[3]) __attribute__((always_inline)) {
      Vec sums[Rows];
      window_sums<Stride, Rows, Masked>(rows, column_of(x), weights, inside, sums);
#pragma GCC unroll 2
      for (int r = 0; r < Rows; ++r) {
        const Vec sum = Stride == 2 ? turn(sums[r]) : sums[r];
        store_some(to + r * w.out_w + x, activate(sum, activation), w.out_w - x);
      }
    };
    for (int64_t x = begin; x < end; x += kLanes) vectors.template operator()<0>(x, edges.inside[0]);
    for (int i = 0; i < edges.count; ++i) {
      switch (edges.masked[i]) {
        case 0: vectors.template operator()<0>(edges.x[i], edges.inside[i]); break;
        case 1: vectors.template operator()<1>(edges.x[i], edges.inside[i]); break;
        case 4: vectors.template operator()<4>(edges.x[i], edges.inside[i]); break;
        default: vectors.template operator()<7>(edges.x[i], edges.inside[i]); break;
      }
    }
  };
  int64_t y = 0;
  if (w.stride_h == 1 && w.dilation_h == 1) {
    for (; y + 2 <= w.out_h; y += 2) {
      const float* rows[4];
      for (int i = 0; i < 4; ++i) rows[i] = row_of(y, i);
      run.template operator()<2>(rows, out + y * w.out_w);
    }
  }
  for (; y < w.out_h; ++y) {
    const float* rows[3];
    for (int ky = 0; ky < 3; ++ky) rows[ky] = row_of(y, ky);
    run.template operator()<1>(rows, out + y * w.out_w);
  }
}

}  // namespace

// Lanes are pixels here. Zeros take the place of what lies beside a row.
void depthwise_plane(const cpu::PlaneWindow& w, const float* in, const float* weights, Activation activation,
                     float* out) {
  if (w.stride_w == 2) return plane_of_nine<2>(w, in, weights, activation, out);
  w.fits_nine() ? plane_of_nine<1>(w, in, weights, activation, out) : plane(w, in, weights, activation, out);
}

}  // namespace ftwt::FTWT_ISA
