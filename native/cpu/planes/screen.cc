// The dense layer of a mask predictor, of which only the signs matter: estimated from weights of one byte, to be
// computed where the estimate does not decide.
#include "cpu/planes/bytes.h"
#include "cpu/planes/planes.h"

namespace ftwt::FTWT_ISA {
namespace {

constexpr int kColumns = cpu::ScreenedWeights::kColumns;
constexpr int kVectors = kColumns / kLanes < 8 ? kColumns / kLanes : 8;  // sums of one pass stay in registers
constexpr int64_t kAhead = 32;                                           // inputs

// The two halves of a word in all lanes.
FTWT_INLINE IVec splat_pair(const int16_t* pair) {
  int32_t word;
  memcpy(&word, pair, sizeof word);
  return word - IVec{};
}

}  // namespace

void screen_block(const cpu::ScreenedWeights& w, int64_t block, const cpu::ScreenedFeatures& f, int bytes_near,
                  float* estimate, float* bound) {
  for (int64_t first = 0; first < kColumns; first += kVectors * kLanes) {
    const int8_t* bytes = w.bytes + block * w.inputs * kColumns + first;
    IVec acc[kVectors] = {};
    const auto add_pair = [&](int64_t j) __attribute__((always_inline)) {
      const IVec steps = splat_pair(f.steps + j);
      const int8_t* a = bytes + f.list[j] * kColumns;
      const int8_t* b = bytes + f.list[j + 1] * kColumns;
#pragma GCC unroll 4
      for (int v = 0; v < kVectors; v += 2) {
        add_byte_products(a + v * kLanes, b + v * kLanes, steps, acc[v], acc[v + 1]);
      }
    };
    // A line of its own for each input: of this block, then of the next, which lies behind it.
    const auto ask = [&](const int8_t* from, int64_t j) __attribute__((always_inline)) {
      __builtin_prefetch(from + f.list[j] * kColumns);
      __builtin_prefetch(from + f.list[j + 1] * kColumns);
    };
    int64_t j = 0;
    if (!bytes_near) {
      for (; j + kAhead < f.count; j += 2) {
        ask(bytes, j + kAhead);
        add_pair(j);
      }
      const int64_t left = f.count - j;
      for (int64_t i = 0; i < left; i += 2) {
        ask(bytes + w.inputs * kColumns, i);
        add_pair(j + i);
      }
      j = f.count;
    }
    for (; j < f.count; j += 2) add_pair(j);
#pragma GCC unroll 4
    for (int v = 0; v < kVectors; v += 2) order_byte_products(acc[v], acc[v + 1]);
#pragma GCC unroll 8
    for (int v = 0; v < kVectors; ++v) {
      const int64_t o = block * kColumns + first + v * kLanes;
      const Vec bias = load(w.bias + o);
      store(estimate + first + v * kLanes,
            bias + f.rest * load(w.sums + o) + load(w.scale + o) * f.step * to_float(acc[v]));
      // Of the sum of x[j] * error[j], by Hoelder's inequality and by Cauchy's; and of half a step of each feature.
      const Vec error = vmin(load(w.error + o) * f.sum_x, load(w.norm + o) * f.norm_x);
      store(bound + first + v * kLanes, error + f.kHalfStep * f.step * load(w.absolute + o) +
                                            load(w.rounding + o) * f.sum_all + 1e-6f * vmax(bias, -bias));
    }
  }
}

cpu::FeatureSums sum_features(const float* features, int64_t count, float rest) {
  Vec absolute = {}, squares = {}, most = {}, all = {};
  const auto add = [&](Vec feature, Vec x) __attribute__((always_inline)) {
    const Vec size = vmax(x, -x);
    absolute += size;
    squares += x * x;
    most = vmax(most, size);
    all += vmax(feature, -feature);
  };
  int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes) add(load(features + i), load(features + i) - rest);
  float last[kLanes];  // what is beyond the last feature counts as `rest`
  for (int64_t k = 0; k < kLanes; ++k) last[k] = i + k < count ? features[i + k] - rest : 0;
  if (i < count) add(load_some(features + i, count - i), load(last));
  float largest = 0;
  for (int lane = 0; lane < kLanes; ++lane) largest = most[lane] > largest ? most[lane] : largest;
  return {horizontal_sum(absolute), horizontal_sum(squares), largest, horizontal_sum(all)};
}

void count_steps(const float* features, int64_t count, float rest, float per_step, int16_t* spread) {
  typedef int16_t Steps __attribute__((vector_size(kLanes * 2)));
  typedef int16_t StepsU __attribute__((vector_size(kLanes * 2), aligned(2), may_alias));
  constexpr float kShift = 12582912;  // 1.5 * 2^23: what is added to it is rounded to an integer
  const auto steps = [&](Vec x) __attribute__((always_inline)) {
    const IVec bits = reinterpret_cast<IVec>(x * per_step + kShift) - reinterpret_cast<IVec>(splat(kShift));
    return __builtin_convertvector(bits, Steps);
  };
  int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes) {
    *reinterpret_cast<StepsU*>(spread + i) = steps(load(features + i) - rest);
  }
  if (i < count) {
    const Steps last = steps(load_some(features + i, count - i) - rest);
    for (int64_t k = 0; i + k < count; ++k) spread[i + k] = last[k];
  }
  for (i = count; i % 64 != 0; ++i) spread[i] = 0;
}

int32_t dot_bytes(const int16_t* a, const int8_t* b, int64_t count) {
  IVec even = {}, odd = {};
  for (int64_t i = 0; i < count; i += 4 * kLanes) {
    even += multiply_pairs(b + i, load_pairs(a + i));
    odd += multiply_pairs(b + i + 2 * kLanes, load_pairs(a + i + 2 * kLanes));
  }
  even += odd;
  int32_t sum = 0;
  for (int i = 0; i < kLanes; ++i) sum += even[i];
  return sum;
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
