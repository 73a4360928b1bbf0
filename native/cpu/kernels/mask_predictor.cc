#include "cpu/isa.h"
#include "cpu/math.h"

namespace ftwt::FTWT_ISA {
namespace {

constexpr int kSamples = 4;  // samples that share one pass over the weights

template <int samples>
FTWT_INLINE void dense_column(const float* features, const float* weights, const float* bias, int64_t c_in,
                              int64_t c_out, int64_t column, float* y) {
  const int64_t left = c_out - column;
  const bool whole = left >= kLanes;
  Vec acc[samples] = {};
  for (int64_t k = 0; k < c_in; ++k) {
    const float* row = weights + k * c_out + column;
    const Vec w = whole ? load(row) : load_partial(row, left);
    for (int s = 0; s < samples; ++s) acc[s] += splat(features[s * c_in + k]) * w;
  }
  const Vec b = whole ? load(bias + column) : load_partial(bias + column, left);
  for (int s = 0; s < samples; ++s) {
    float* out = y + s * c_out + column;
    if (whole) {
      store(out, acc[s] + b);
    } else {
      store_partial(out, acc[s] + b, left);
    }
  }
}

}  // namespace

// In place, over [c].
void softmax_row(float* x, int64_t c) {
  // Of a NaN the sum makes all of them NaN, whatever is the largest here.
  Vec most = splat(x[0]);
  for (int64_t i = 0; i < c; i += kLanes) {
    const int64_t left = c - i;
    most = vmax(left >= kLanes ? load(x + i)
                               : select(lane_numbers() < static_cast<int32_t>(left), load_partial(x + i, left), most),
                most);
  }
  float largest = most[0];
  for (int lane = 1; lane < kLanes; ++lane) largest = most[lane] > largest ? most[lane] : largest;
  Vec sums = {};
  for (int64_t i = 0; i < c; i += kLanes) {
    const int64_t left = c - i;
    const Vec e = vexp(load_some(x + i, left) - largest);
    store_some(x + i, e, left);
    sums += left >= kLanes ? e : select(lane_numbers() < static_cast<int32_t>(left), e, Vec{});
  }
  const float sum = horizontal_sum(sums);
  for (int64_t i = 0; i < c; i += kLanes) store_some(x + i, load_some(x + i, c - i) / sum, c - i);
}

// y [n, c_out] = features [n, c_in] * weights + bias. Every sum runs in the order of c_in, so a sample's result does
// not depend on the batch that it is in.
void predictor_dense(const float* features, const float* weights, const float* bias, int64_t n, int64_t c_in,
                     int64_t c_out, float* y) {
  int64_t sample = 0;
  for (; sample + kSamples <= n; sample += kSamples) {
    for (int64_t column = 0; column < c_out; column += kLanes) {
      dense_column<kSamples>(features + sample * c_in, weights, bias, c_in, c_out, column, y + sample * c_out);
    }
  }
  for (; sample < n; ++sample) {
    for (int64_t column = 0; column < c_out; column += kLanes) {
      dense_column<1>(features + sample * c_in, weights, bias, c_in, c_out, column, y + sample * c_out);
    }
  }
}

// d_pooled [c_in] from dy [c_out]: back through the dense layer and, with `softmax`, through that.
void predictor_backprop(const float* dy, const float* weights, const float* features, int64_t c_in, int64_t c_out,
                        int softmax, float* d_pooled) {
  for (int64_t k = 0; k < c_in; ++k) {
    const float* row = weights + k * c_out;
    Vec acc = {};
    int64_t column = 0;
    for (; column + kLanes <= c_out; column += kLanes) acc += load(row + column) * load(dy + column);
    acc += load_partial(row + column, c_out - column) * load_partial(dy + column, c_out - column);
    d_pooled[k] = horizontal_sum(acc);
  }
  if (!softmax) return;
  float mean = 0;
  for (int64_t k = 0; k < c_in; ++k) mean += d_pooled[k] * features[k];
  for (int64_t k = 0; k < c_in; ++k) d_pooled[k] = features[k] * (d_pooled[k] - mean);
}

}  // namespace ftwt::FTWT_ISA
