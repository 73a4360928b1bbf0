// How the pixels of a convolution, or of its gradient, meet the filter's taps: one dimension at a time.
#pragma once
#include <algorithm>
#include <cstdint>
#include <numeric>

#include "ops/conv2d.h"

namespace ftwt::cuda {

// One dimension of the pixels that a launch computes, and of the taps that they meet.
struct WindowAxis {
  int rows;                       // pixels
  int target_size;                // of the array that they lie in
  int first_target, target_step;  // pixel i is first_target + i * target_step there
  int source_size;
  int first_move, move_step, source_step;  // with tap t it meets i * source_step + first_move + t * move_step
  int taps;
  int first_tap, tap_step;  // tap t is first_tap + t * tap_step of the filter
};

// One dimension of a convolution.
struct Axis {
  int64_t x_size, y_size, taps, stride, pad, dilation;
};

inline WindowAxis forward_axis(const Axis& a) {
  return {.rows = static_cast<int>(a.y_size),
          .target_size = static_cast<int>(a.y_size),
          .first_target = 0,
          .target_step = 1,
          .source_size = static_cast<int>(a.x_size),
          .first_move = static_cast<int>(-a.pad),
          .move_step = static_cast<int>(a.dilation),
          .source_step = static_cast<int>(a.stride),
          .taps = static_cast<int>(a.taps),
          .first_tap = 0,
          .tap_step = 1};
}

// The pixels first, first + stride, .. of x. Tap k reaches them from (first + pad - k * dilation) / stride, where that
// is whole.
inline WindowAxis backward_axis(const Axis& a, int64_t first) {
  const int64_t tap_step = a.stride / std::gcd(a.stride, a.dilation);
  int64_t tap = 0;
  while (tap < std::min(tap_step, a.taps) && (first + a.pad - tap * a.dilation) % a.stride != 0) ++tap;
  const bool none = tap == std::min(tap_step, a.taps);
  return {.rows = static_cast<int>((a.x_size - first + a.stride - 1) / a.stride),
          .target_size = static_cast<int>(a.x_size),
          .first_target = static_cast<int>(first),
          .target_step = static_cast<int>(a.stride),
          .source_size = static_cast<int>(a.y_size),
          .first_move = none ? 0 : static_cast<int>((first + a.pad - tap * a.dilation) / a.stride),
          .move_step = static_cast<int>(-tap_step * a.dilation / a.stride),
          .source_step = 1,
          .taps = none ? 0 : static_cast<int>((a.taps - tap + tap_step - 1) / tap_step),
          .first_tap = static_cast<int>(tap),
          .tap_step = static_cast<int>(tap_step)};
}

inline Axis vertical(const Conv2dShape& s) { return {s.h, s.out_h, s.kh, s.stride_h, s.pad_top, s.dilation_h}; }
inline Axis horizontal(const Conv2dShape& s) { return {s.w, s.out_w, s.kw, s.stride_w, s.pad_left, s.dilation_w}; }

}  // namespace ftwt::cuda
