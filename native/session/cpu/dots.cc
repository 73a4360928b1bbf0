#include "session/cpu/dots.h"

#include <algorithm>

#include "cpu/thread_pool.h"
#include "session/cpu/planewise.h"

namespace ftwt::session {
namespace {

constexpr int64_t kQuadFloats = 16;    // of a channel of x, see quad_rows
constexpr int64_t kFloatsBehind = 16;  // what it may read behind the weights

bool takes_quads(const Convolution& c) {
  const cpu::PlaneWindow w = c.window();
  return w.h == 2 && w.w == 2 && w.out_h == 2 && w.out_w == 2 && w.kh == 3 && w.kw == 3 && w.stride_h == 1 &&
         w.stride_w == 1 && w.dilation_h == 1 && w.dilation_w == 1 && w.pad_top == 1 && w.pad_left == 1;
}

// The windows of the images as rows as long as those of the weights, zeros where channels are not active; or the pixels
// of the active channels as quad_rows takes them.
class Dots final : public Step {
 public:
  explicit Dots(const Convolution& convolution)
      : c_(convolution),
        weights_(weights_by_output(*convolution.node, convolution.input.shape.c)),
        source_(window_pixels(convolution.window())),
        quads_(takes_quads(convolution)) {
    if (quads_) weights_.resize(weights_.size() + kFloatsBehind);
  }
  const char* variant() const override { return variant_name(ConvVariant::Dots); }
  uint64_t weight_bytes() const override { return weights_.size() * sizeof(float); }
  int64_t scratch_floats(int64_t samples) const override { return samples * x_floats(); }

  void run(const State& state) const override {
    quads_ ? pack_quads(state) : pack(state);
    multiply(state);
    fill_inactive(state, c_);
  }

 private:
  int64_t row_floats() const { return weight_stride(c_.taps() * c_.input.shape.c); }
  // Of a sample.
  int64_t x_floats() const { return quads_ ? kQuadFloats * c_.input.shape.c : c_.output.shape.pixels() * row_floats(); }

  void pack_quads(const State& state) const {
    for_each_range(state, c_.input.gate, c_.input.shape.c, kQuadFloats, [&](int64_t s, cpu::ChannelList part) {
      float* to = state.scratch + s * x_floats() + (part.index - state.active(c_.input, s).index) * kQuadFloats;
      for (int64_t j = 0; j < part.count; ++j) {
        const float* plane = state.sample(c_.input, s) + part.index[j] * c_.input.plane;
        for (int64_t i = 0; i < kQuadFloats; ++i) *to++ = plane[i / 4];
      }
    });
  }

  void pack(const State& state) const {
    const int64_t pixels = c_.output.shape.pixels(), taps = c_.taps(), channels = c_.input.shape.c;
    const int64_t grain = 16384 / (pixels * taps) + 1;
    cpu::parallel_share(state.samples * channels, grain, [&](int64_t begin, int64_t end, int) {
      for (int64_t s = begin / channels; s * channels < end; ++s) {
        const int64_t first = std::max(begin - s * channels, int64_t{0});
        const int64_t last = std::min(end - s * channels, channels);
        float* rows = state.scratch + s * pixels * row_floats();
        // The zeros behind the last channel belong to its part.
        const int64_t floats = (last == channels ? row_floats() : last * taps) - first * taps;
        for (int64_t p = 0; p < pixels; ++p) std::fill_n(rows + p * row_floats() + first * taps, floats, 0.0f);
        const cpu::ChannelList active = state.active(c_.input, s);
        const int32_t* i = std::lower_bound(active.index, active.index + active.count, static_cast<int32_t>(first));
        for (; i != active.index + active.count && *i < last; ++i) {
          const float* plane = state.sample(c_.input, s) + *i * c_.input.plane;
          for (int64_t t = 0; t < taps; ++t) {
            for (int64_t p = 0; p < pixels; ++p) {
              const int32_t from = source_[t * pixels + p];
              if (from >= 0) rows[p * row_floats() + *i * taps + t] = plane[from];
            }
          }
        }
      }
    });
  }

  void multiply(const State& state) const {
    const auto dots = FTWT_KERNEL(dot_rows);
    const auto quads = FTWT_KERNEL(quad_rows);
    const int64_t pixels = c_.output.shape.pixels();
    const RowBlocks blocks(state, c_, row_floats() * 4, 512);
    cpu::parallel_share(blocks.count() * state.samples, 1, [&](int64_t begin, int64_t end, int) {
      for (int64_t i = begin; i < end; ++i) {
        const int64_t s = i % state.samples;
        const cpu::DotRows product = {.weights = weights_.data(),
                                      .row_stride = row_floats(),
                                      .length = c_.taps() * c_.input.shape.c,
                                      .x = state.scratch + s * x_floats(),
                                      .x_stride = row_floats(),
                                      .bias = c_.node->bias.empty() ? nullptr : c_.node->bias.data(),
                                      .residual = c_.residual ? state.sample(*c_.residual, s) : nullptr,
                                      .residual_stride = c_.residual ? c_.residual->plane : 0,
                                      .activation = c_.node->activation,
                                      .out = state.sample(c_.output, s),
                                      .out_stride = c_.output.plane};
        const cpu::ChannelList rows = blocks.rows(i / state.samples, s);
        quads_ ? quads(product, state.active(c_.input, s), rows) : dots(product, pixels, rows);
      }
    });
  }

  Convolution c_;
  cpu::Floats weights_;          // [cOut, row_floats]
  std::vector<int32_t> source_;  // [taps, pixels], -1 in the padding
  bool quads_;
};

}  // namespace

std::unique_ptr<Step> make_dots(const Convolution& c) { return std::make_unique<Dots>(c); }

}  // namespace ftwt::session
