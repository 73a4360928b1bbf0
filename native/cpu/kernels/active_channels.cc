#include "cpu/isa.h"

namespace ftwt::FTWT_ISA {

// compact [pixels, count] = x [pixels, c] at the channels of `list` [count], ascending.
void gather_channels(const float* x, int64_t pixels, int64_t c, const int32_t* list, int64_t count, float* compact) {
  for (int64_t pixel = 0; pixel < pixels; ++pixel, x += c, compact += count) {
    for (int64_t i = 0; i < count; ++i) compact[i] = x[list[i]];
  }
}

// The way back: x [pixels, c], zero at the channels that `list` lacks.
void scatter_channels(const float* compact, int64_t pixels, int64_t c, const int32_t* list, int64_t count, float* x) {
  for (int64_t pixel = 0; pixel < pixels; ++pixel, x += c, compact += count) {
    memset(x, 0, static_cast<size_t>(c) * sizeof(float));
    for (int64_t i = 0; i < count; ++i) x[list[i]] = compact[i];
  }
}

}  // namespace ftwt::FTWT_ISA
