#include "cpu/scratch.h"
#include "session/cpu/planewise.h"
#include "session/cpu/steps.h"

namespace ftwt::session {
namespace {

class DepthwiseStep final : public Step {
 public:
  DepthwiseStep(const Node& node, const ValueLayout& input, const ValueLayout& output, int32_t gate)
      : node_(node),
        input_(input),
        output_(output),
        gate_(gate),
        multiplier_(output.shape.c / input.shape.c),
        layout_(FTWT_KERNEL(shifted_layout)({input.shape.h, input.shape.w, output.shape.h, output.shape.w, node.kh,
                                             node.kw, node.stride_h, node.stride_w, node.dilation_h, node.dilation_w,
                                             node.pad_top, node.pad_left})),
        taps_(static_cast<std::size_t>(node.kh * node.kw)) {
    FTWT_KERNEL(shifted_offsets)(layout_, taps_.data());
    const int64_t taps = node.kh * node.kw;
    weights_.resize(node.weights.size());
    for (int64_t t = 0; t < taps; ++t) {
      for (int64_t o = 0; o < output.shape.c; ++o) weights_[o * taps + t] = node.weights[t * output.shape.c + o];
    }
  }
  const char* variant() const override { return "depthwise planes"; }
  uint64_t weight_bytes() const override { return weights_.size() * sizeof(float); }

  void run(const State& state) const override {
    const auto kernel = FTWT_KERNEL(depthwise_plane);
    const int64_t pixels = output_.shape.pixels();
    const int64_t taps = node_.kh * node_.kw;
    for_each_plane(state, gate_, output_.shape.c, pixels * taps / 4, [&](int64_t s, int64_t, int64_t channel) {
      float* out = state.sample(output_, s) + channel * output_.plane;
      const float bias = node_.bias.empty() ? 0.0f : node_.bias[channel];
      const int64_t from = channel / multiplier_;
      if (!stored(state, s, from)) {  // a sum of zeros
        const float zero = 0;
        float value;
        FTWT_KERNEL(plane_scale)(&zero, 1, 1, bias, node_.activation, &value);
        std::fill_n(out, pixels, value);
        return;
      }
      float* room = cpu::thread_floats(cpu::Scratch::Gemm, static_cast<std::size_t>(layout_.stride + 64));
      kernel(layout_, taps_.data(), state.sample(input_, s) + from * input_.plane, weights_.data() + channel * taps,
             bias, node_.activation, room, out);
    });
    zero_other_planes(state, gate_, output_);
  }

 private:
  bool stored(const State& state, int64_t s, int64_t channel) const {
    if (input_.gate < 0) return true;
    const cpu::ChannelList active = state.active(input_, s);
    return std::binary_search(active.index, active.index + active.count, static_cast<int32_t>(channel));
  }

  const Node& node_;
  ValueLayout input_, output_;
  int32_t gate_;
  int64_t multiplier_;
  cpu::ShiftedLayout layout_;
  std::vector<int32_t> taps_;
  std::vector<float> weights_;  // [c, taps]
};

}  // namespace

std::unique_ptr<Step> make_depthwise(const Node& node, const ValueLayout& input, const ValueLayout& output,
                                     int32_t gate) {
  return std::make_unique<DepthwiseStep>(node, input, output, gate);
}

}  // namespace ftwt::session
