#include "cpu/gemm/activate.h"
#include "cpu/isa.h"
#include "cpu/planes/planes.h"

namespace ftwt::FTWT_ISA {

namespace {

constexpr int kSamples = 4;  // that share one pass over the weights

template <int samples>
FTWT_INLINE void dense_vector(const float* x, int64_t x_stride, int64_t rows, const float* weights, int64_t row_stride,
                              const float* bias, int64_t count, Activation activation, float* y, int64_t y_stride) {
  const bool whole = count >= kLanes;
  const Vec start = bias == nullptr ? Vec{} : load_some(bias, count);
  Vec acc[samples];
  for (int s = 0; s < samples; ++s) acc[s] = start;
  for (int64_t j = 0; j < rows; ++j) {
    const float* row = weights + j * row_stride;
    const Vec w = whole ? load(row) : load_partial(row, count);
#pragma GCC unroll 4
    for (int s = 0; s < samples; ++s) acc[s] += splat(x[s * x_stride + j]) * w;
  }
  for (int s = 0; s < samples; ++s) store_some(y + s * y_stride, activate(acc[s], activation), count);
}

// Four vectors of one sample: independent sums hide the latency of the multiply-adds.
FTWT_INLINE void dense_four(const float* x, int64_t rows, const float* weights, int64_t row_stride, const float* bias,
                            Activation activation, float* y) {
  Vec acc[4];
#pragma GCC unroll 4
  for (int v = 0; v < 4; ++v) acc[v] = bias == nullptr ? Vec{} : load(bias + v * kLanes);
  for (int64_t j = 0; j < rows; ++j) {
    const float* row = weights + j * row_stride;
    const Vec value = splat(x[j]);
#pragma GCC unroll 4
    for (int v = 0; v < 4; ++v) acc[v] += value * load(row + v * kLanes);
  }
#pragma GCC unroll 4
  for (int v = 0; v < 4; ++v) store(y + v * kLanes, activate(acc[v], activation));
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

void dense_columns(const float* x, int64_t x_stride, int64_t count, int64_t rows, const float* weights,
                   int64_t row_stride, const float* bias, int64_t begin, int64_t end, Activation activation, float* y,
                   int64_t y_stride) {
  int64_t sample = 0;
  const auto at = [](const float* p, int64_t offset) { return p == nullptr ? nullptr : p + offset; };
  for (; sample + kSamples <= count; sample += kSamples) {
    for (int64_t o = begin; o < end; o += kLanes) {
      dense_vector<kSamples>(x + sample * x_stride, x_stride, rows, weights + o, row_stride, at(bias, o), end - o,
                             activation, y + sample * y_stride + o, y_stride);
    }
  }
  for (; sample < count; ++sample) {
    int64_t o = begin;
    for (; o + 4 * kLanes <= end; o += 4 * kLanes) {
      dense_four(x + sample * x_stride, rows, weights + o, row_stride, at(bias, o), activation,
                 y + sample * y_stride + o);
    }
    for (; o < end; o += kLanes) {
      dense_vector<1>(x + sample * x_stride, x_stride, rows, weights + o, row_stride, at(bias, o), end - o, activation,
                      y + sample * y_stride + o, y_stride);
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
