#include "session/cpu/dots.h"

#include <algorithm>
#include <array>

#include "cpu/thread_pool.h"
#include "session/cpu/planewise.h"

namespace ftwt::session {
namespace {

constexpr int64_t kQuadFloats = 4;           // of a channel of x, see quad_row
constexpr int64_t kFloatsBehind = 16;        // what it may read behind the weights
constexpr int64_t kMostQuads = 32;           // samples that share a row of weights
constexpr int64_t kLeastRows = 8;            // of a task
constexpr int64_t kBlockFloats = 64 * 1024;  // of weights, of a block of rows: they stay in a second-level cache

bool takes_quads(const Convolution& c) {
  const cpu::PlaneWindow w = c.window();
  return w.h == 2 && w.w == 2 && w.out_h == 2 && w.out_w == 2 && w.kh == 3 && w.kw == 3 && w.stride_h == 1 &&
         w.stride_w == 1 && w.dilation_h == 1 && w.dilation_w == 1 && w.pad_top == 1 && w.pad_left == 1;
}

// The windows of the images as rows as long as those of the weights, zeros where channels are not active; or the pixels
// of the active channels as quad_row takes them.
class Dots final : public Step {
 public:
  explicit Dots(const Convolution& convolution)
      : c_(convolution),
        weights_(weights_by_output(*convolution.node, convolution.input.shape.c, 1, kFloatsBehind)),
        source_(window_pixels(convolution.window())),
        quads_(takes_quads(convolution)) {}
  const char* variant() const override { return variant_name(ConvVariant::Dots); }
  bool pools() const override { return c_.output.pooled >= 0 && !quads_; }
  uint64_t weight_bytes() const override { return weights_.size() * sizeof(float); }
  int64_t scratch_floats(int64_t samples) const override { return samples * x_floats(); }

  void run(const State& state) const override {
    clear_pooled(state, c_.output, c_.gate);
    if (quads_) {
      pack_quads(state);
      multiply_quads(state);
    } else {
      pack(state);
      multiply(state);
    }
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
        to = std::copy_n(plane, kQuadFloats, to);
      }
    });
  }

  void pack(const State& state) const {
    const int64_t pixels = c_.output.shape.pixels(), taps = c_.taps(), channels = c_.input.shape.c;
    const int64_t grain = kPlaneGrain / (pixels * taps) + 1;
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

  cpu::DotRows product(const State& state, int64_t s) const {
    return {.weights = weights_.data(),
            .row_stride = row_floats(),
            .length = c_.taps() * c_.input.shape.c,
            .x = state.scratch + s * x_floats(),
            .x_stride = row_floats(),
            .bias = c_.node->bias.empty() ? nullptr : c_.node->bias.data(),
            .residual = c_.residual ? state.sample(*c_.residual, s) : nullptr,
            .residual_stride = c_.residual ? c_.residual->plane : 0,
            .activation = c_.node->activation,
            .out = state.sample(c_.output, s),
            .out_stride = c_.output.plane,
            .next = nullptr,
            .next_end = nullptr};
  }

  // Blocks of rows whose weights all samples read before the next.
  void multiply(const State& state) const {
    const auto dots = FTWT_KERNEL(dot_rows);
    const int64_t pixels = c_.output.shape.pixels(), channels = c_.output.shape.c;
    const int64_t most = std::max<int64_t>(kLeastRows, kBlockFloats / row_floats());
    const RowBlocks blocks(
        state, c_, std::max<int64_t>(cpu::thread_count(), state.samples == 1 ? 1 : (channels + most - 1) / most));
    cpu::parallel_share(blocks.count() * state.samples, 1, [&](int64_t begin, int64_t end, int) {
      for (int64_t i = begin; i < end; ++i) {
        const int64_t s = i % state.samples, block = i / state.samples;
        cpu::DotRows part = product(state, s);
        if (state.samples > 1 && i + state.samples < end) {  // each sample brings its share of the next block
          const int64_t from = channels * (block + 1) / blocks.count() * row_floats();
          const int64_t floats = channels * (block + 2) / blocks.count() * row_floats() - from;
          part.next = weights_.data() + from + floats * s / state.samples / 16 * 16;
          part.next_end = weights_.data() + from + floats * (s + 1) / state.samples;
        }
        const cpu::ChannelList rows = blocks.rows(block, s);
        dots(part, pixels, rows);
        pool_written(state, c_.output, s, rows);
      }
    });
  }

  // A product that brings the row which comes next, if one does.
  static cpu::DotRows bringing(cpu::DotRows product, int32_t row) {
    if (row < 0) return product;
    product.next = product.weights + row * product.row_stride;
    product.next_end = product.next + product.length;
    return product;
  }

  // Row by row, so that all samples find its weights in the first-level cache.
  void multiply_quads(const State& state) const {
    const auto quads = FTWT_KERNEL(quad_row);
    const int64_t channels = c_.output.shape.c;
    const cpu::DotRows any = product(state, 0);
    const auto sample = [&](int64_t s) {
      const cpu::DotRows own = product(state, s);
      return cpu::QuadSample{own.x, state.active(c_.input, s), own.out, own.residual};
    };
    if (state.samples == 1) {
      const cpu::ChannelList rows = state.active(c_.gate, 0, channels);
      const cpu::QuadSample only = sample(0);
      cpu::parallel_share(rows.count, kLeastRows, [&](int64_t begin, int64_t end, int) {
        for (int64_t i = begin; i < end; ++i) {
          quads(bringing(any, i + 1 < end ? rows.index[i + 1] : -1), rows.index[i], &only, 1);
        }
      });
      return;
    }
    cpu::parallel_share(channels, kLeastRows, [&](int64_t begin, int64_t end, int) {
      for (int64_t first = 0; first < state.samples; first += kMostQuads) {
        const int64_t count = std::min(kMostQuads, state.samples - first);
        std::array<cpu::QuadSample, kMostQuads> samples, computing;
        std::array<const int32_t*, kMostQuads> next, last;  // of each sample's rows
        for (int64_t s = 0; s < count; ++s) {
          const cpu::ChannelList rows = state.active(c_.gate, first + s, channels);
          samples[s] = sample(first + s);
          last[s] = rows.index + rows.count;
          next[s] = std::lower_bound(rows.index, last[s], static_cast<int32_t>(begin));
        }
        for (auto row = static_cast<int32_t>(begin); row < end; ++row) {
          int64_t found = 0;
          for (int64_t s = 0; s < count; ++s) {
            if (next[s] == last[s] || *next[s] != row) continue;
            computing[found++] = samples[s];
            ++next[s];
          }
          quads(bringing(any, row + 1 < end ? row + 1 : -1), row, computing.data(), found);
        }
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
