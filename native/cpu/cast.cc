#include "ops/cast.h"

#include <cmath>
#include <limits>
#include <type_traits>

#include "cpu/thread_pool.h"

namespace ftwt::cpu {
namespace {

constexpr int64_t kGrain = 32768;

struct Bool {
  uint8_t value;
};

// As a typed array of JavaScript converts: what is no number or does not fit wraps around or becomes 0.
int32_t to_int32(float value) {
  if (!std::isfinite(value)) return 0;
  const double wrapped = std::fmod(std::trunc(static_cast<double>(value)), 4294967296.0);
  return static_cast<int32_t>(static_cast<uint32_t>(static_cast<int64_t>(wrapped)));
}

template <typename To, typename From>
To convert(From value) {
  if constexpr (std::is_same_v<From, Bool>) {
    return convert<To>(static_cast<int32_t>(value.value));
  } else if constexpr (std::is_same_v<To, Bool>) {
    return {static_cast<uint8_t>(value != From{0})};
  } else if constexpr (std::is_same_v<To, int32_t> && std::is_same_v<From, float>) {
    return to_int32(value);
  } else {
    return static_cast<To>(value);
  }
}

template <typename From, typename To>
void convert_all(const CastParams& p) {
  const auto* x = static_cast<const From*>(p.x);
  auto* y = static_cast<To*>(p.y);
  parallel_for(p.count, kGrain, [&](int64_t begin, int64_t end, int) {
    for (int64_t i = begin; i < end; ++i) y[i] = convert<To>(x[i]);
  });
}

template <typename From>
void convert_from(const CastParams& p) {
  switch (p.to) {
    case CastType::Float32: return convert_all<From, float>(p);
    case CastType::Int32: return convert_all<From, int32_t>(p);
    default: return convert_all<From, Bool>(p);
  }
}

}  // namespace

void cast(const CastParams& p) {
  switch (p.from) {
    case CastType::Float32: return convert_from<float>(p);
    case CastType::Int32: return convert_from<int32_t>(p);
    default: return convert_from<Bool>(p);
  }
}

}  // namespace ftwt::cpu
