#include "cpu/gemm/activate.h"
#include "cpu/isa.h"
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

float plane_max(const float* x, int64_t count) {  // NaN where there is one, as tf.max
  Vec most = splat(x[0]);
  IVec nan = {};
  int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes) {
    const Vec v = load(x + i);
    nan |= v != v;
    most = vmax(most, v);
  }
  float result = x[0];
  bool any = false;
  for (int lane = 0; lane < kLanes; ++lane) {
    any = any || nan[lane] != 0;
    result = most[lane] > result ? most[lane] : result;
  }
  for (; i < count; ++i) {
    any = any || x[i] != x[i];
    result = x[i] > result ? x[i] : result;
  }
  return any ? __builtin_nanf("") : result;
}

float plane_sum(const float* x, int64_t count) {
  Vec sum = {};
  int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes) sum += load(x + i);
  float result = horizontal_sum(sum);
  for (; i < count; ++i) result += x[i];
  return result;
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
