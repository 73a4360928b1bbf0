#include "cpu/gemm/activate.h"
#include "cpu/isa.h"
#include "cpu/planes/deinterleave.h"
#include "cpu/planes/planes.h"

namespace ftwt::FTWT_ISA {

namespace {

constexpr int kSamples = 3;  // that share one pass over the weights: their sums of kVectors fill the register file
constexpr int kVectors = 4;

// `vectors` of outputs, the last of which may end early, for `samples`.
template <int samples, int vectors>
FTWT_INLINE void dense_block(const cpu::DenseRows& d, const float* x, int64_t first, int64_t count, float* y) {
  Vec acc[samples][vectors];
#pragma GCC unroll 4
  for (int v = 0; v < vectors; ++v) {
    const Vec start = d.bias == nullptr ? Vec{} : load_some(d.bias + first + v * kLanes, count - v * kLanes);
#pragma GCC unroll 4
    for (int s = 0; s < samples; ++s) acc[s][v] = start;
  }
  const bool whole = count >= vectors * kLanes;
  const float* row = d.weights + first;
  for (int64_t j = 0; j < d.length; ++j, row += d.row_stride) {
    Vec values[samples];
#pragma GCC unroll 4
    for (int s = 0; s < samples; ++s) values[s] = splat(x[s * d.x_stride + j]);
#pragma GCC unroll 4
    for (int v = 0; v < vectors; ++v) {
      const Vec w = whole ? load(row + v * kLanes) : load_some(row + v * kLanes, count - v * kLanes);
#pragma GCC unroll 4
      for (int s = 0; s < samples; ++s) acc[s][v] = multiply_add(acc[s][v], values[s], w);
    }
  }
#pragma GCC unroll 4
  for (int s = 0; s < samples; ++s) {
#pragma GCC unroll 4
    for (int v = 0; v < vectors; ++v) {
      store_some(y + s * d.y_stride + first + v * kLanes, activate(acc[s][v], d.activation), count - v * kLanes);
    }
  }
}

// Up to kVectors of outputs.
template <int samples>
FTWT_INLINE void dense_vectors(const cpu::DenseRows& d, const float* x, int64_t first, int64_t count, float* y) {
  if (count >= kVectors * kLanes) return dense_block<samples, kVectors>(d, x, first, kVectors * kLanes, y);
  for (int64_t i = 0; i < count; i += kLanes) dense_block<samples, 1>(d, x, first + i, count - i, y);
}

// The largest of each lane; `nan`: where there was one, of all calls.
FTWT_INLINE Vec lane_maxima(const float* x, int64_t count, IVec& nan) {
  constexpr int kChains = 4;
  if (count < kLanes) {
    const Vec v = select(lane_numbers() < static_cast<int32_t>(count), load_partial(x, count), splat(x[0]));
    nan |= v != v;
    return v;
  }
  Vec most[kChains];
#pragma GCC unroll 4
  for (int c = 0; c < kChains; ++c) most[c] = load(x);
  const auto add = [&](int c, Vec v) __attribute__((always_inline)) {
    nan |= v != v;
    most[c] = vmax(most[c], v);
  };
  int64_t i = 0;
  for (; i + kChains * kLanes <= count; i += kChains * kLanes) {
#pragma GCC unroll 4
    for (int c = 0; c < kChains; ++c) add(c, load(x + i + c * kLanes));
  }
  for (; i + kLanes <= count; i += kLanes) add(0, load(x + i));
  add(1, load(x + count - kLanes));
  return vmax(vmax(most[0], most[1]), vmax(most[2], most[3]));
}

FTWT_INLINE Vec lane_sums(const float* x, int64_t count) {
  Vec sums = {};
  int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes) sums += load(x + i);
  return i < count ? sums + load_some(x + i, count - i) : sums;
}

FTWT_INLINE bool has_nan(const float* x, int64_t count) {
  bool nan = false;
  for (int64_t i = 0; i < count; ++i) nan = nan || x[i] != x[i];
  return nan;
}

}  // namespace

void plane_add(const float* a, const float* b, int64_t count, Activation activation, float* y) {
  for (int64_t i = 0; i < count; i += kLanes) {
    Vec v = load_some(a + i, count - i);
    if (b != nullptr) v += load_some(b + i, count - i);
    store_some(y + i, activate(v, activation), count - i);
  }
}

void plane_scale(const float* x, int64_t count, float scale, float shift, Activation activation, float* y) {
  for (int64_t i = 0; i < count; i += kLanes) {
    store_some(y + i, activate(load_some(x + i, count - i) * scale + shift, activation), count - i);
  }
}

void plane_maxima(const float* planes, int64_t plane, int64_t pixels, cpu::ChannelList list, float* out) {
  for (int64_t first = 0; first < list.count; first += kLanes) {
    const int64_t count = list.count - first < kLanes ? list.count - first : kLanes;
    const int32_t* channels = list.index + first;
    Vec most[kLanes];
    IVec nan = {};
    for (int64_t k = 0; k < count; ++k) most[k] = lane_maxima(planes + channels[k] * plane, pixels, nan);
    for (int64_t k = count; k < kLanes; ++k) most[k] = most[0];
    float maxima[kLanes];
    store(maxima, reduce_lanes<kLanes>(most, [](Vec a, Vec b) { return vmax(a, b); }));
    for (int64_t k = 0; k < count; ++k) out[channels[k]] = maxima[k];
    if (lane_bits(nan) == 0) continue;
    for (int64_t k = 0; k < count; ++k) {
      if (has_nan(planes + channels[k] * plane, pixels)) out[channels[k]] = __builtin_nanf("");
    }
  }
}

void plane_means(const float* planes, int64_t plane, int64_t pixels, cpu::ChannelList list, float* out) {
  for (int64_t first = 0; first < list.count; first += kLanes) {
    const int64_t count = list.count - first < kLanes ? list.count - first : kLanes;
    const int32_t* channels = list.index + first;
    Vec sums[kLanes] = {};
    for (int64_t k = 0; k < count; ++k) sums[k] = lane_sums(planes + channels[k] * plane, pixels);
    float means[kLanes];
    store(means, reduce_lanes<kLanes>(sums, [](Vec a, Vec b) { return a + b; }) / static_cast<float>(pixels));
    for (int64_t k = 0; k < count; ++k) out[channels[k]] = means[k];
  }
}

void dense_columns(const cpu::DenseRows& d, int64_t samples, int64_t begin, int64_t end) {
  const int64_t groups = (samples + kSamples - 1) / kSamples;
  // Each weight comes from afar once, for the first samples.
  for (int64_t first = begin; first < end; first += kVectors * kLanes) {
    const int64_t count = end - first;
    for (int64_t group = 0; group < groups; ++group) {
      const int64_t sample = samples * group / groups;
      const float* x = d.x + sample * d.x_stride;
      float* y = d.y + sample * d.y_stride;
      switch (samples * (group + 1) / groups - sample) {
        case 1: dense_vectors<1>(d, x, first, count, y); break;
        case 2: dense_vectors<2>(d, x, first, count, y); break;
        default: dense_vectors<kSamples>(d, x, first, count, y);
      }
    }
  }
}

void dense_listed(const float* x, const int32_t* list, int64_t count, const float* weights, int64_t row_stride,
                  const float* bias, float rest, const float* sums, int64_t begin, int64_t end, float* y) {
  int64_t o = begin;
  for (; o + 4 * kLanes <= end; o += 4 * kLanes) {
    Vec acc[4];
#pragma GCC unroll 4
    for (int v = 0; v < 4; ++v) acc[v] = load(bias + o + v * kLanes) + rest * load(sums + o + v * kLanes);
    for (int64_t j = 0; j < count; ++j) {
      const float* row = weights + list[j] * row_stride + o;
      const Vec value = splat(x[j]);
#pragma GCC unroll 4
      for (int v = 0; v < 4; ++v) acc[v] += value * load(row + v * kLanes);
    }
#pragma GCC unroll 4
    for (int v = 0; v < 4; ++v) store(y + o + v * kLanes, acc[v]);
  }
  for (; o < end; o += kLanes) {
    const int64_t left = end - o;
    Vec acc = load_some(bias + o, left) + rest * load_some(sums + o, left);
    for (int64_t j = 0; j < count; ++j) acc += splat(x[j]) * load_some(weights + list[j] * row_stride + o, left);
    store_some(y + o, acc, left);
  }
}

}  // namespace ftwt::FTWT_ISA
