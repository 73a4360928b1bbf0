#include "cpu/channel_pool.h"

#include "cpu/isa.h"

namespace ftwt::FTWT_ISA {
namespace {

using cpu::ChannelPool;

// Keeps a NaN once it is there: every comparison with it is false.
FTWT_INLINE Vec max_or_nan(Vec best, Vec v) { return (v > best) | (v != v) ? v : best; }

template <ChannelPool pool>
FTWT_INLINE Vec pool_vector(const float* x, int64_t pixels, int64_t stride, int64_t count) {
  Vec result = pool == ChannelPool::Max ? load_some(x, count) : Vec{};
  for (int64_t pixel = 0; pixel < pixels; ++pixel) {
    const Vec v = load_some(x + pixel * stride, count);
    if (pool == ChannelPool::Average) {
      result += v;
    } else {
      result = max_or_nan(result, pool == ChannelPool::MaxAbs ? (v < 0 ? -v : v) : v);
    }
  }
  return pool == ChannelPool::Average ? result / static_cast<float>(pixels) : result;
}

template <ChannelPool pool>
FTWT_INLINE void pool_all(const float* x, int64_t pixels, int64_t stride, int64_t count, float* y) {
  int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes) store(y + i, pool_vector<pool>(x + i, pixels, stride, kLanes));
  if (i < count) store_partial(y + i, pool_vector<pool>(x + i, pixels, stride, count - i), count - i);
}

FTWT_INLINE void scatter_vector(Vec dy, const float* x, int64_t pixels, int64_t stride, int64_t count, float* dx) {
  Vec best = load_some(x, count);
  IVec first = {};
  for (int64_t pixel = 1; pixel < pixels; ++pixel) {
    const Vec v = load_some(x + pixel * stride, count);
    const IVec greater = v > best;
    best = greater ? v : best;
    first = greater ? static_cast<int32_t>(pixel) - IVec{} : first;
  }
  for (int64_t pixel = 0; pixel < pixels; ++pixel) {
    store_some(dx + pixel * stride, first == static_cast<int32_t>(pixel) - IVec{} ? dy : Vec{}, count);
  }
}

}  // namespace

void pool_channels(ChannelPool pool, const float* x, int64_t pixels, int64_t stride, int64_t count, float* y) {
  switch (pool) {
    case ChannelPool::MaxAbs: return pool_all<ChannelPool::MaxAbs>(x, pixels, stride, count, y);
    case ChannelPool::Max: return pool_all<ChannelPool::Max>(x, pixels, stride, count, y);
    case ChannelPool::Average: return pool_all<ChannelPool::Average>(x, pixels, stride, count, y);
  }
}

void scatter_pooled(ChannelPool pool, const float* dy, const float* x, int64_t pixels, int64_t stride, int64_t count,
                    float* dx) {
  for (int64_t i = 0; i < count; i += kLanes) {
    const int64_t left = count - i;
    const Vec d = load_some(dy + i, left);
    if (pool == ChannelPool::Max) {
      scatter_vector(d, x + i, pixels, stride, left, dx + i);
      continue;
    }
    const Vec share = d / static_cast<float>(pixels);
    for (int64_t pixel = 0; pixel < pixels; ++pixel) store_some(dx + pixel * stride + i, share, left);
  }
}

}  // namespace ftwt::FTWT_ISA
