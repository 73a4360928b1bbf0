// From pixels [h, w, c] to planes.
#include "cpu/isa.h"
#include "cpu/planes/planes.h"

namespace ftwt::FTWT_ISA {
namespace {

constexpr int kColors = 3;

// Channel `channel` of kLanes pixels. Every third float of three vectors: no two of them are in the same lane.
template <int channel>
FTWT_INLINE Vec color(const Vec (&v)[kColors]) {
  IVec second = {}, third = {}, order = {};
#pragma GCC unroll 16
  for (int i = 0; i < kLanes; ++i) {
    const int at = kColors * i + channel;
    order[i] = at % kLanes;
    second[at % kLanes] |= at / kLanes == 1 ? -1 : 0;
    third[at % kLanes] |= at / kLanes == 2 ? -1 : 0;
  }
  const Vec mixed = select(third, v[2], select(second, v[1], v[0]));
#if defined(__clang__)
  Vec sorted;
  for (int i = 0; i < kLanes; ++i) sorted[i] = mixed[(kColors * i + channel) % kLanes];
  return sorted;
#else
  return __builtin_shuffle(mixed, order);
#endif
}

}  // namespace

void split_pixels(const float* pixels, int64_t count, int64_t channels, float* planes, int64_t plane) {
  int64_t p = 0;
  if (channels == kColors) {
    for (; p + kLanes <= count; p += kLanes) {
      const float* from = pixels + p * kColors;
      const Vec v[kColors] = {load(from), load(from + kLanes), load(from + 2 * kLanes)};
      store(planes + p, color<0>(v));
      store(planes + plane + p, color<1>(v));
      store(planes + 2 * plane + p, color<2>(v));
    }
  }
  for (int64_t c = 0; c < channels; ++c) {
    for (int64_t i = p; i < count; ++i) planes[c * plane + i] = pixels[i * channels + c];
  }
}

}  // namespace ftwt::FTWT_ISA
