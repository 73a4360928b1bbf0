#include "cpu/isa.h"
#include "cpu/lane_select.h"

namespace ftwt::FTWT_ISA {
namespace {

// Pixels whose active channels stay in the first-level cache while the groups take turns.
constexpr int64_t kBlock = 32;

template <typename Body>
FTWT_INLINE void for_each_block(int64_t pixels, const Body& body) {
  for (int64_t begin = 0; begin < pixels; begin += kBlock) {
    body(begin, begin + kBlock < pixels ? begin + kBlock : pixels);
  }
}

}  // namespace

// compact [pixels, count] = x [pixels, c] at the channels of `list` [count], ascending.
void gather_channels(const float* x, int64_t pixels, int64_t c, const int32_t* list, int64_t count, float* compact) {
  for_each_block(pixels, [&](int64_t begin, int64_t end) {
    for_each_lane_group(list, count, [&](const LaneGroup& group, int64_t first) {
      for (int64_t pixel = begin; pixel < end; ++pixel) {
        gather_lanes(group, x + pixel * c, compact + pixel * count + first);
      }
    });
  });
}

// The way back: x [pixels, c], zero at the channels that `list` lacks.
void scatter_channels(const float* compact, int64_t pixels, int64_t c, const int32_t* list, int64_t count, float* x) {
  for_each_block(pixels, [&](int64_t begin, int64_t end) {
    memset(x + begin * c, 0, static_cast<size_t>((end - begin) * c) * sizeof(float));
    for_each_lane_group(list, count, [&](const LaneGroup& group, int64_t first) {
      for (int64_t pixel = begin; pixel < end; ++pixel) {
        scatter_lanes(group, compact + pixel * count + first, x + pixel * c);
      }
    });
  });
}

// y [pixels, c] = x where the mask [c] is above 0, else 0: no product, for 0 * NaN is NaN. x may be y.
void mask_channels(const float* x, int64_t pixels, int64_t c, const float* mask, float* y) {
  for (int64_t pixel = 0; pixel < pixels; ++pixel, x += c, y += c) {
    int64_t i = 0;
    for (; i + kLanes <= c; i += kLanes) store(y + i, select(load(mask + i) > 0, load(x + i), Vec{}));
    for (; i < c; ++i) y[i] = mask[i] > 0 ? x[i] : 0;
  }
}

}  // namespace ftwt::FTWT_ISA
