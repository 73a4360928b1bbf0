// The dense layer of a mask predictor, of which only the signs matter: estimated from weights of one byte, to be
// computed where the estimate does not decide.
#include "cpu/isa.h"
#include "cpu/planes/planes.h"

namespace ftwt::FTWT_ISA {
namespace {

constexpr int kColumns = cpu::ScreenedWeights::kColumns;
constexpr int kVectors = kColumns / kLanes < 8 ? kColumns / kLanes : 8;  // sums of one pass stay in registers

constexpr int64_t kAhead = 32;  // inputs

}  // namespace

void screen_block(const cpu::ScreenedWeights& w, int64_t block, const cpu::ScreenedFeatures& f, float* estimate,
                  float* bound) {
  for (int64_t first = 0; first < kColumns; first += kVectors * kLanes) {
    const int8_t* bytes = w.bytes + block * w.inputs * kColumns + first;
    Vec acc[kVectors] = {};
    for (int64_t j = 0; j < f.count; ++j) {
      const int8_t* row = bytes + f.list[j] * kColumns;
      // A line of its own for each input: of this block, then of the next, which lies behind it.
      const int64_t ahead = j + kAhead;
      const int64_t input = ahead < f.count ? f.list[ahead] : w.inputs + f.list[(ahead - f.count) % f.count];
      __builtin_prefetch(bytes + input * kColumns);
      const Vec x = splat(f.x[j]);
#pragma GCC unroll 8
      for (int v = 0; v < kVectors; ++v) acc[v] += x * load_bytes(row + v * kLanes);
    }
#pragma GCC unroll 8
    for (int v = 0; v < kVectors; ++v) {
      const int64_t o = block * kColumns + first + v * kLanes;
      const Vec bias = load(w.bias + o);
      store(estimate + first + v * kLanes, bias + f.rest * load(w.sums + o) + load(w.scale + o) * acc[v]);
      // Of the sum of x[j] * error[j], by Hoelder's inequality and by Cauchy's.
      const Vec error = vmin(load(w.error + o) * f.sum_x, load(w.norm + o) * f.norm_x);
      store(bound + first + v * kLanes, error + load(w.rounding + o) * f.sum_all + 1e-6f * vmax(bias, -bias));
    }
  }
}

float absolute_sum(const float* x, int64_t count, float* squares) {
  Vec sum = {}, square = {};
  for (int64_t i = 0; i < count; i += kLanes) {
    const Vec v = load_some(x + i, count - i);
    sum += vmax(v, -v);
    square += v * v;
  }
  if (squares != nullptr) *squares = horizontal_sum(square);
  return horizontal_sum(sum);
}

float dot_bytes(const float* a, const int8_t* b, int64_t count) {
  Vec even = {}, odd = {};
  for (int64_t i = 0; i < count; i += 16) {
#pragma GCC unroll 4
    for (int64_t j = i; j < i + 16; j += 2 * kLanes) {
      even += load(a + j) * load_bytes(b + j);
      if constexpr (kLanes < 16) odd += load(a + j + kLanes) * load_bytes(b + j + kLanes);
    }
  }
  return horizontal_sum(even + odd);
}

float dot(const float* a, const float* b, int64_t count) {
  constexpr int kSums = 4;  // hide each other's latency
  Vec acc[kSums] = {};
  int64_t i = 0;
  for (; i + kSums * kLanes <= count; i += kSums * kLanes) {
#pragma GCC unroll 4
    for (int v = 0; v < kSums; ++v) acc[v] += load(a + i + v * kLanes) * load(b + i + v * kLanes);
  }
  Vec sum = (acc[0] + acc[1]) + (acc[2] + acc[3]);
  for (; i < count; i += kLanes) sum += load_some(a + i, count - i) * load_some(b + i, count - i);
  return horizontal_sum(sum);
}

}  // namespace ftwt::FTWT_ISA
