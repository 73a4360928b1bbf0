#include "ops/pool.h"

#include "cpu/isa.h"

namespace ftwt::FTWT_ISA {
namespace {

// The part of an output pixel's window that lies inside the image.
struct Window {
  int64_t h_begin, h_end, w_begin, w_end;

  int64_t cells() const { return h_end > h_begin && w_end > w_begin ? (h_end - h_begin) * (w_end - w_begin) : 0; }
};

FTWT_INLINE Window window_at(const PoolParams& p, int64_t out_h, int64_t out_w) {
  const int64_t top = out_h * p.stride_h - p.pad_top, left = out_w * p.stride_w - p.pad_left;
  const int64_t bottom = top + p.window_h, right = left + p.window_w;
  return {top < 0 ? 0 : top, bottom > p.h ? p.h : bottom, left < 0 ? 0 : left, right > p.w ? p.w : right};
}

// Calls body(channel, load, store) for each vector of channels in [begin, end), the last one partial.
template <typename Body>
FTWT_INLINE void for_channels(int64_t begin, int64_t end, Body body) {
  int64_t c = begin;
  for (; c + kLanes <= end; c += kLanes) {
    body(
        c, [](const float* p) { return load(p); }, [](float* p, Vec v) { store(p, v); });
  }
  if (c < end) {
    const int64_t rest = end - c;
    body(
        c, [rest](const float* p) { return load_partial(p, rest); },
        [rest](float* p, Vec v) { store_partial(p, v, rest); });
  }
}

}  // namespace

// Output rows [begin, end) of n * out_h.
void pool_rows(const PoolParams& p, int64_t begin, int64_t end) {
  for (int64_t row = begin; row < end; ++row) {
    const float* image = p.x + row / p.out_h * p.h * p.w * p.c;
    for (int64_t out_w = 0; out_w < p.out_w; ++out_w) {
      const Window window = window_at(p, row % p.out_h, out_w);
      float* y = p.y + (row * p.out_w + out_w) * p.c;
      // A window without cells: 0 / 0 in tfjs as well.
      const float count = static_cast<float>(window.cells());
      for_channels(0, p.c, [&](int64_t c, auto load_at, auto store_at) {
        Vec acc = splat(p.average ? 0.0f : -__builtin_inff());
        for (int64_t h = window.h_begin; h < window.h_end; ++h) {
          for (int64_t w = window.w_begin; w < window.w_end; ++w) {
            const Vec v = load_at(image + (h * p.w + w) * p.c + c);
            acc = p.average ? acc + v : vmax(v, acc);
          }
        }
        store_at(y + c, p.average ? acc / count : acc);
      });
    }
  }
}

void pool_grad_image(const PoolGradParams& g, int64_t image, int64_t c_begin, int64_t c_end) {
  const PoolParams& p = g.forward;
  const int64_t in_offset = image * p.h * p.w * p.c;
  for (int64_t i = 0; i < p.h * p.w; ++i) {
    memset(g.dx + in_offset + i * p.c + c_begin, 0, static_cast<size_t>(c_end - c_begin) * sizeof(float));
  }
  for (int64_t out = 0; out < p.out_h * p.out_w; ++out) {
    const Window window = window_at(p, out / p.out_w, out % p.out_w);
    const int64_t out_offset = (image * p.out_h * p.out_w + out) * p.c;
    const float share = 1.0f / static_cast<float>(window.cells());
    for_channels(c_begin, c_end, [&](int64_t c, auto load_at, auto store_at) {
      const Vec dy = load_at(g.dy + out_offset + c);
      const Vec top = p.average ? Vec{} : load_at(p.y + out_offset + c);
      IVec open = top > -__builtin_inff();  // lanes whose maximum has not been met yet
      for (int64_t h = window.h_begin; h < window.h_end; ++h) {
        for (int64_t w = window.w_begin; w < window.w_end; ++w) {
          const int64_t at = in_offset + (h * p.w + w) * p.c + c;
          Vec gradient = dy * share;
          if (!p.average) {
            const IVec hit = open & (load_at(p.x + at) == top);
            gradient = select(hit, dy, Vec{});
            open &= ~hit;
          }
          store_at(g.dx + at, load_at(g.dx + at) + gradient);
        }
      }
    });
  }
}

}  // namespace ftwt::FTWT_ISA
