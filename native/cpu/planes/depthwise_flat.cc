// 3x3 depthwise convolutions that keep the size of their image: lanes are pixels, and vectors run on from row to row.
// What a tap reads from beyond the ends of a row is masked, so that rows as short as 4 pixels fill the lanes.
#include "cpu/gemm/activate.h"
#include "cpu/isa.h"
#include "cpu/planes/planes.h"

namespace ftwt::FTWT_ISA {
namespace {

constexpr int kTaps = 9;

// `p`: what the middle tap reads. `inside`: the vector's part of each tap's mask, `stride` apart. Only at the first and
// the last rows (`End`) may a tap's row be missing.
template <bool End>
FTWT_INLINE Vec window_sum(const float* p, int64_t width, const Vec (&weights)[kTaps + 1], const int32_t* inside,
                           int64_t stride) {
  const auto mask = [&](int tap) __attribute__((always_inline)) {
    return *reinterpret_cast<const IVecU*>(inside + tap * stride);
  };
  const IVec left = mask(3), right = mask(5);
  Vec sum = weights[kTaps];
#pragma GCC unroll 3
  for (int ky = 0; ky < 3; ++ky) {
    const float* row = p + (ky - 1) * width;
#pragma GCC unroll 3
    for (int kx = 0; kx < 3; ++kx) {
      IVec v = reinterpret_cast<IVec>(load(row + kx - 1));
      if (End && ky != 1) {
        v &= mask(ky * 3 + kx);
      } else if (kx != 1) {
        v &= kx == 0 ? left : right;
      }
      sum += weights[ky * 3 + kx] * reinterpret_cast<Vec>(v);
    }
  }
  return sum;
}

}  // namespace

void depthwise_flat(const cpu::PlaneWindow& w, const int32_t* inside, const float* in, const float* weights,
                    Activation activation, float* out) {
  const int64_t pixels = w.h * w.w;
  const int64_t stride = cpu::flat_mask_stride(w);
  const int64_t last_row = pixels - w.w;
  Vec factors[kTaps + 1];
  for (int i = 0; i <= kTaps; ++i) factors[i] = splat(weights[i]);
  const auto vectors = [&]<bool End>(int64_t begin, int64_t end) __attribute__((always_inline)) {
    for (int64_t i = begin; i < end; i += kLanes) {
      const Vec sum = window_sum<End>(in + i, w.w, factors, inside + i, stride);
      store_some(out + i, activate(sum, activation), pixels - i);
    }
  };
  const int64_t middle = (w.w + kLanes - 1) / kLanes * kLanes;
  const int64_t end = last_row / kLanes * kLanes;
  if (middle >= end) {
    vectors.template operator()<true>(0, pixels);
  } else {
    vectors.template operator()<true>(0, middle);
    vectors.template operator()<false>(middle, end);
    vectors.template operator()<true>(end, pixels);
  }
}

}  // namespace ftwt::FTWT_ISA
