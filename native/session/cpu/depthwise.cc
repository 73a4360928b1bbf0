#include <utility>

#include "cpu/scratch.h"
#include "session/cpu/convolution.h"
#include "session/cpu/planewise.h"
#include "session/cpu/steps.h"

namespace ftwt::session {
namespace {

// From so many pixels on, lanes are pixels; of 3x3 windows, from so many columns on.
constexpr int64_t kManyPixels = 100;
constexpr int64_t kManyColumns = 14;
// Channels that are looked up at a time.
constexpr int64_t kPart = 256;
// A window that reaches further beside the image may leave the working memory.
constexpr int64_t kReach = 64;
// Pixels up to which vectors may cross rows: beyond, masks leave the first-level cache.
constexpr int64_t kMostFlat = 1024;
// Planes that are pooled together: a vector of them, as long as the first-level cache keeps them.
constexpr int64_t kPooledTogether = 16;
constexpr int64_t kPooledFloats = 4096;

cpu::PlaneWindow window_of(const Node& node, const ValueLayout& input, const ValueLayout& output) {
  return {input.shape.h, input.shape.w, output.shape.h,  output.shape.w,  node.kh,      node.kw,
          node.stride_h, node.stride_w, node.dilation_h, node.dilation_w, node.pad_top, node.pad_left};
}

// Whether there is a kernel with pixels for lanes, and pixels for its lanes.
bool fills_lanes(const cpu::PlaneWindow& w) {
  if (w.fits_nine()) return w.out_w >= kManyColumns;
  return w.stride_w == 1 && w.stride_h == 1 && w.out_h * w.out_w >= kManyPixels && w.kw * w.dilation_w <= kReach;
}

enum class Lanes { Channels, Rows, Pixels };

// Whether the window lies around each pixel, so that vectors may run on from row to row.
bool runs_on(const cpu::PlaneWindow& w) {
  return w.kh == 3 && w.kw == 3 && w.stride_h == 1 && w.stride_w == 1 && w.dilation_h == 1 && w.dilation_w == 1 &&
         w.pad_top == 1 && w.pad_left == 1 && w.out_h == w.h && w.out_w == w.w && w.w <= kReach &&
         w.h * w.w >= kManyPixels && w.h * w.w <= kMostFlat;
}

Lanes lanes_of(const cpu::PlaneWindow& w) {
  if (runs_on(w)) return Lanes::Pixels;
  return fills_lanes(w) ? Lanes::Rows : Lanes::Channels;
}

class DepthwiseStep final : public Step {
 public:
  DepthwiseStep(const Node& node, const ValueLayout& input, const ValueLayout& output, int32_t gate)
      : node_(node),
        input_(input),
        output_(output),
        gate_(gate),
        multiplier_(output.shape.c / input.shape.c),
        window_(window_of(node, input, output)),
        lanes_(lanes_of(window_)),
        weights_(static_cast<std::size_t>(output.shape.c * row())) {
    const int64_t taps = node.kh * node.kw;
    for (int64_t o = 0; o < output.shape.c; ++o) {
      for (int64_t t = 0; t < taps; ++t) weights_[o * row() + t] = node.weights[t * output.shape.c + o];
      weights_[o * row() + taps] = node.bias.empty() ? 0.0f : node.bias[o];
    }
    if (lanes_ == Lanes::Pixels) find_inside();
    of_zeros_.resize(static_cast<std::size_t>(output.shape.c));
    const float zero = 0;
    for (int64_t o = 0; o < output.shape.c; ++o) {
      FTWT_KERNEL(plane_scale)(&zero, 1, 1, weights(o)[taps], node.activation, &of_zeros_[o]);
    }
  }
  const char* variant() const override {
    switch (lanes_) {
      case Lanes::Channels: return "depthwise channels";
      case Lanes::Rows: return "depthwise rows";
      case Lanes::Pixels: return "depthwise pixels";
    }
    return "";
  }
  uint64_t weight_bytes() const override { return weights_.size() * sizeof(float); }
  bool pools() const override { return output_.pooled >= 0; }

  void run(const State& state) const override {
    clear_pooled(state, output_, gate_);
    const int64_t work = output_.shape.pixels() * node_.kh * node_.kw / 2;
    // A thread's channels fill lanes.
    const int64_t most = kPlaneGrain / (2 * FTWT_KERNEL(vector_lanes)());
    const int64_t floats = lanes_ == Lanes::Channels ? std::min(work, most) : work;
    for_each_range(state, gate_, output_.shape.c, floats, [&](int64_t s, cpu::ChannelList channels) {
      lanes_ == Lanes::Channels ? run_channels(state, s, channels) : run_planes(state, s, channels);
    });
    zero_other_planes(state, gate_, output_);
  }

 private:
  void find_inside() {
    const int64_t pixels = window_.h * window_.w, stride = cpu::flat_mask_stride(window_);
    const std::vector<int32_t> source = window_pixels(window_);
    inside_.assign(static_cast<std::size_t>(node_.kh * node_.kw * stride), 0);
    for (int64_t t = 0; t < node_.kh * node_.kw; ++t) {
      for (int64_t p = 0; p < pixels; ++p) inside_[t * stride + p] = source[t * pixels + p] >= 0 ? -1 : 0;
    }
  }

  int64_t row() const { return cpu::depthwise_weights(window_); }
  const float* weights(int64_t channel) const { return weights_.data() + channel * row(); }
  const float* plane(const State& state, int64_t s, int64_t channel) const {
    return state.sample(input_, s) + channel / multiplier_ * input_.plane;
  }
  int32_t source(int32_t channel) const {
    return multiplier_ == 1 ? channel : channel / static_cast<int32_t>(multiplier_);
  }
  float* out(const State& state, int64_t s, int64_t channel) const {
    return state.sample(output_, s) + channel * output_.plane;
  }

  // The channels in turn whose input is stored; those whose input is not are sums of zeros, and done here.
  template <typename Body>
  void for_stored(const State& state, int64_t s, cpu::ChannelList channels, const Body& body) const {
    if (input_.gate < 0) {
      for (int64_t i = 0; i < channels.count; ++i) body(channels.index[i]);
      return;
    }
    // Parts of the list, so that a few hundred bytes do. No branch depends on which channels are active.
    for (int64_t first = 0; first < channels.count; first += kPart) {
      const int64_t count = std::min(kPart, channels.count - first);
      int32_t stored[kPart], others[kPart];
      const int64_t found = split(state.active(input_, s), {channels.index + first, count}, stored, others);
      for (int64_t i = 0; i < found; ++i) body(stored[i]);
      for (int64_t i = 0; i < count - found; ++i) {
        std::fill_n(out(state, s, others[i]), output_.shape.pixels(), of_zeros_[others[i]]);
      }
      pool_written(state, output_, s, {others, count - found});
    }
  }

  // How many of the channels have an input that is active: those to `stored`, the rest to `others`.
  int64_t split(cpu::ChannelList active, cpu::ChannelList channels, int32_t* stored, int32_t* others) const {
    const int32_t first = source(channels.index[0]), last = source(channels.index[channels.count - 1]);
    thread_local std::vector<uint8_t> is_active;
    is_active.assign(static_cast<std::size_t>(last - first + 1), 0);
    const int32_t* end = active.index + active.count;
    for (const int32_t* i = std::lower_bound(active.index, end, first); i != end && *i <= last; ++i) {
      is_active[*i - first] = 1;
    }
    int64_t found = 0;
    for (int64_t i = 0; i < channels.count; ++i) {
      stored[found] = others[i - found] = channels.index[i];
      found += is_active[source(channels.index[i]) - first];
    }
    return found;
  }

  void run_channels(const State& state, int64_t s, cpu::ChannelList channels) const {
    const auto kernel = FTWT_KERNEL(depthwise_channels);
    const int64_t lanes = FTWT_KERNEL(vector_lanes)();
    float* room = cpu::thread_floats(cpu::Scratch::Gemm,
                                     static_cast<std::size_t>(FTWT_KERNEL(depthwise_scratch_floats)(window_)));
    cpu::DepthwiseChannels together = {};
    int32_t list[kPooledTogether];
    const auto flush = [&] {
      if (together.count > 0) kernel(window_, together, node_.activation, room);
      pool_written(state, output_, s, {list, together.count});
      together.count = 0;
    };
    for_stored(state, s, channels, [&](int32_t channel) {
      list[together.count] = channel;
      together.planes[together.count] = plane(state, s, channel);
      together.weights[together.count] = weights(channel);
      together.out[together.count] = out(state, s, channel);
      if (++together.count == lanes) flush();
    });
    flush();
  }

  void run_planes(const State& state, int64_t s, cpu::ChannelList channels) const {
    const auto kernel = FTWT_KERNEL(depthwise_plane);
    const auto flat = FTWT_KERNEL(depthwise_flat);
    int32_t list[kPooledTogether];
    int64_t count = 0;
    const auto flush = [&] { pool_written(state, output_, s, {list, std::exchange(count, 0)}); };
    const int64_t most = std::clamp<int64_t>(kPooledFloats / output_.plane, 1, kPooledTogether);
    for_stored(state, s, channels, [&](int32_t channel) {
      const float* x = plane(state, s, channel);
      float* y = out(state, s, channel);
      lanes_ == Lanes::Rows ? kernel(window_, x, weights(channel), node_.activation, y)
                            : flat(window_, inside_.data(), x, weights(channel), node_.activation, y);
      list[count++] = channel;
      if (count == most) flush();
    });
    flush();
  }

  const Node& node_;
  ValueLayout input_, output_;
  int32_t gate_;
  int64_t multiplier_;
  cpu::PlaneWindow window_;
  Lanes lanes_;
  std::vector<int32_t> inside_;  // of Lanes::Pixels: [taps, flat_mask_stride()]
  cpu::Floats weights_;          // [c, row]: taps, bias
  std::vector<float> of_zeros_;  // [c]: what becomes of an input of zeros
};

}  // namespace

std::unique_ptr<Step> make_depthwise(const Node& node, const ValueLayout& input, const ValueLayout& output,
                                     int32_t gate) {
  return std::make_unique<DepthwiseStep>(node, input, output, gate);
}

}  // namespace ftwt::session
