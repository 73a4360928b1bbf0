// The dense layer of a mask predictor, of which only the signs matter: estimated from weights of one byte, to be
// computed where the estimate does not decide.
#include "cpu/planes/bytes.h"
#include "cpu/planes/planes.h"

namespace ftwt::FTWT_ISA {
namespace {

constexpr int kColumns = cpu::ScreenedWeights::kColumns;
constexpr int kVectors = kColumns / kLanes < 8 ? kColumns / kLanes : 8;  // sums of one pass stay in registers
constexpr int64_t kAhead = 32;                                           // inputs
constexpr int64_t kBytesAhead = 4096;                                    // of quads

// Two halves of a word, or four quarters, in all lanes.
FTWT_INLINE IVec splat_word(const void* parts) {
  int32_t word;
  memcpy(&word, parts, sizeof word);
  return word - IVec{};
}

// Estimates of the outputs from `o` on, of which `sums` are the sums of steps * bytes; bits of those that they do not
// decide.
FTWT_INLINE uint64_t estimate_outputs(const cpu::ScreenedWeights& w, int64_t o, const cpu::ScreenedFeatures& f,
                                      IVec sums, float* estimate) {
  const Vec bias = load(w.bias + o);
  const Vec y = bias + f.rest * load(w.sums + o) + load(w.scale + o) * f.step * to_float(sums);
  // Of the sum of x[j] * error[j], by Hoelder's inequality and by Cauchy's; and of half a step of each feature.
  const Vec error = vmin(load(w.error + o) * f.sum_x, load(w.norm + o) * f.norm_x);
  const Vec bound = error + f.kHalfStep * f.step * load(w.absolute + o) + load(w.rounding + o) * f.sum_all +
                    1e-6f * vmax(bias, -bias);
  store(estimate, y);
  return lane_bits(~(vmax(y, -y) > bound));  // NaN decides nothing
}

// One sample, by the listed inputs.
FTWT_INLINE uint64_t screen_listed(const cpu::ScreenedWeights& w, int64_t block, const cpu::ScreenedFeatures& f,
                                   bool bytes_near, float* estimate) {
  uint64_t undecided = 0;
  for (int64_t first = 0; first < kColumns; first += kVectors * kLanes) {
    const int8_t* bytes = w.bytes + block * w.inputs * kColumns + first;
    IVec acc[kVectors] = {};
    const auto add_pair = [&](int64_t j) __attribute__((always_inline)) {
      const IVec steps = splat_word(f.steps + j);
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
      const int64_t i = first + v * kLanes;
      undecided |= estimate_outputs(w, block * kColumns + i, f, acc[v], estimate + i) << i;
    }
  }
  return undecided;
}

FTWT_INLINE int32_t dot_bytes(const int16_t* a, const int8_t* b, int64_t count) {
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

#if defined(FTWT_ISA_avx512)
FTWT_INLINE IVec join_halves(IVec high, IVec low) {
  return reinterpret_cast<IVec>((reinterpret_cast<UVec>(high) << 8) + reinterpret_cast<UVec>(low));
}
// Of steps * bytes, from the sum of steps * (bytes + 128) and of the steps.
FTWT_INLINE IVec less_offset(IVec sum, int32_t steps) {
  return reinterpret_cast<IVec>(reinterpret_cast<UVec>(sum) - 128 * static_cast<uint32_t>(steps));
}

// Several samples, by all inputs. The same sums, and so the same bits.
template <int Samples>
__attribute__((noinline)) void screen_quads(const cpu::ScreenedWeights& w, int64_t block, int64_t ahead,
                                            const cpu::ScreenedFeatures* f, float* estimates, int64_t stride,
                                            uint64_t* undecided) {
  constexpr int kVectorBytes = 4 * kLanes;
  const int64_t inputs = (w.inputs + 3) / 4 * 4;
  const uint8_t* quads = w.quads + block * inputs * kColumns;
  IVec high[Samples][4] = {}, low[Samples][4] = {};
  for (int64_t i = 0; i < inputs; i += 4, quads += 4 * kVectorBytes) {
    IVec bytes[4];
#pragma GCC unroll 4
    for (int v = 0; v < 4; ++v) {
      bytes[v] = load_bytes(quads + v * kVectorBytes);
      if (ahead > 0) __builtin_prefetch(quads + ahead + v * kVectorBytes);
    }
#pragma GCC unroll 4
    for (int s = 0; s < Samples; ++s) {
      const IVec high_steps = splat_word(f[s].high + i), low_steps = splat_word(f[s].low + i);
#pragma GCC unroll 4
      for (int v = 0; v < 4; ++v) {
        high[s][v] = add_quad_products(high[s][v], bytes[v], high_steps);
        low[s][v] = add_quad_products(low[s][v], bytes[v], low_steps);
      }
    }
  }
#pragma GCC unroll 4
  for (int s = 0; s < Samples; ++s) {
    IVec sums[4];
#pragma GCC unroll 4
    for (int v = 0; v < 4; ++v) sums[v] = less_offset(join_halves(high[s][v], low[s][v]), f[s].sum);
    undecided[s] = 0;
#pragma GCC unroll 4
    for (int v = 0; v < 4; ++v) {
      const int64_t i = v * kLanes;
      undecided[s] |= estimate_outputs(w, block * kColumns + i, f[s], sums[v], estimates + s * stride + i) << i;
    }
  }
}
#endif

}  // namespace

void screen_block(const cpu::ScreenedWeights& w, int64_t block, const cpu::ScreenedFeatures* f, int64_t samples,
                  int bytes_near, float* estimates, int64_t stride, uint64_t* undecided) {
#if defined(FTWT_ISA_avx512)
  if (f->high != nullptr) {
    for (int64_t s = 0, some; s < samples; s += some) {
      const int64_t left = samples - s;
      some = left == 4 ? 2 : left < 3 ? left : 3;
      const auto screen = some == 3 ? screen_quads<3> : some == 2 ? screen_quads<2> : screen_quads<1>;
      screen(w, block, s == 0 && !bytes_near ? kBytesAhead : 0, f + s, estimates + s * stride, stride, undecided + s);
    }
    return;
  }
#endif
  for (int64_t s = 0; s < samples; ++s) {
    undecided[s] = screen_listed(w, block, f[s], bytes_near || s > 0, estimates + s * stride);
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

int32_t split_steps(const int16_t* steps, int64_t count, int8_t* high, int8_t* low) {
  int32_t sum = 0;
  for (int64_t i = 0; i < count; ++i) {
    high[i] = static_cast<int8_t>((steps[i] + 128) >> 8);
    low[i] = static_cast<int8_t>(steps[i]);
    sum += steps[i];
  }
  return sum;
}

void rest_products(const cpu::ScreenedFeatures& f, const int8_t* const* rows, int64_t count, int64_t bytes,
                   int32_t* sums) {
  int64_t r = 0;
#if defined(FTWT_ISA_avx512)
  for (; f.high != nullptr && r < count; r += 4) {
    const int8_t* row[4];
    for (int i = 0; i < 4; ++i) row[i] = rows[r + i < count ? r + i : r];
    IVec high[4] = {}, low[4] = {};
    for (int64_t j = 0; j < bytes; j += 64) {
      const IVec high_steps = load_bytes(f.high + j), low_steps = load_bytes(f.low + j);
#pragma GCC unroll 4
      for (int i = 0; i < 4; ++i) {
        const IVec weights = load_unsigned(row[i] + j);
        high[i] = add_quad_products(high[i], weights, high_steps);
        low[i] = add_quad_products(low[i], weights, low_steps);
      }
    }
    int32_t some[4];
    for (int i = 0; i < 4; ++i) high[i] = join_halves(high[i], low[i]);
    add_lanes(high, some);
    for (int i = 0; i < 4 && r + i < count; ++i) sums[r + i] = less_offset(some[i] - IVec{}, f.sum)[0];
  }
#endif
  for (; r < count; ++r) sums[r] = dot_bytes(f.spread, rows[r], bytes);
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
