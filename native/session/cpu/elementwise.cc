#include "cpu/dispatch.h"
#include "cpu/scratch.h"
#include "session/cpu/planewise.h"
#include "session/cpu/steps.h"

FTWT_DECLARE_KERNEL(void softmax_row(float* x, int64_t c);
                    void unary_range(int op, const float* x, float* y, int64_t count, float alpha, float beta))

namespace ftwt::session {
namespace {

constexpr int64_t kImageBlock = 4096;  // floats

// A step of one input and one output that is a function of planes.
class PlaneStep : public Step {
 protected:
  PlaneStep(const Node& node, const ValueLayout& input, const ValueLayout& output)
      : node_(node), input_(input), output_(output) {}

  const float* from(const State& state, int64_t s, int64_t channel) const {
    return state.sample(input_, s) + channel * input_.plane;
  }
  float* to(const State& state, int64_t s, int64_t channel) const {
    return state.sample(output_, s) + channel * output_.plane;
  }

  const Node& node_;
  ValueLayout input_, output_;
};

class PoolStep final : public PlaneStep {
 public:
  using PlaneStep::PlaneStep;
  PoolStep(const Node& node, const ValueLayout& input, const ValueLayout& output) : PlaneStep(node, input, output) {}
  const char* variant() const override { return node_.average ? "average pool" : "max pool"; }
  void run(const State& state) const override {
    const auto kernel = FTWT_KERNEL(plane_pool);
    const cpu::PlaneWindow window = {input_.shape.h,
                                     input_.shape.w,
                                     output_.shape.h,
                                     output_.shape.w,
                                     node_.kh,
                                     node_.kw,
                                     node_.stride_h,
                                     node_.stride_w,
                                     1,
                                     1,
                                     node_.pad_top,
                                     node_.pad_left};
    const auto floats = static_cast<std::size_t>(FTWT_KERNEL(pool_scratch_floats)(window));
    for_each_plane(state, input_.gate, input_.shape.c, input_.shape.pixels(), [&](int64_t s, int64_t channel) {
      float* columns = cpu::thread_floats(cpu::Scratch::Columns, floats);
      kernel(window, node_.average, from(state, s, channel), columns, to(state, s, channel));
    });
    zero_other_planes(state, input_.gate, output_);
  }
};

class GlobalPoolStep final : public PlaneStep {
 public:
  GlobalPoolStep(const Node& node, const ValueLayout& input, const ValueLayout& output)
      : PlaneStep(node, input, output) {}
  const char* variant() const override { return "global pool"; }
  void run(const State& state) const override {
    // Planes of one pixel follow one another.
    pool_planes(state, input_, node_.average, [&](int64_t s) { return state.sample(output_, s); });
    zero_other_planes(state, input_.gate, output_);
  }
};

class AddStep final : public Step {
 public:
  AddStep(const Node& node, const ValueLayout& a, const ValueLayout& b, const ValueLayout& output)
      : node_(node), a_(a), b_(b), output_(output) {}
  const char* variant() const override { return "add"; }
  void run(const State& state) const override {
    const auto add = FTWT_KERNEL(plane_add);
    const int64_t pixels = output_.shape.pixels();
    for_every_plane(state, a_, a_.gate, [&](int64_t s, int64_t channel, bool a_stored) {
      const bool b_stored = has(state, b_, s, channel);
      const float* a = state.sample(a_, s) + channel * a_.plane;
      const float* b = state.sample(b_, s) + channel * b_.plane;
      float* out = state.sample(output_, s) + channel * output_.plane;
      if (a_stored) return add(a, b_stored ? b : nullptr, pixels, node_.activation, out);
      if (b_stored) return add(b, nullptr, pixels, node_.activation, out);
      std::fill_n(out, pixels, 0.0f);  // every fused activation keeps 0
    });
  }

 private:
  static bool has(const State& state, const ValueLayout& value, int64_t s, int64_t channel) {
    if (value.gate < 0) return true;
    const cpu::ChannelList active = state.active(value, s);
    return std::binary_search(active.index, active.index + active.count, static_cast<int32_t>(channel));
  }

  const Node& node_;
  ValueLayout a_, b_, output_;
};

class ConcatStep final : public Step {
 public:
  ConcatStep(const std::vector<ValueLayout>& inputs, const ValueLayout& output) : inputs_(inputs), output_(output) {}
  const char* variant() const override { return "concat"; }
  void run(const State& state) const override {
    const int64_t pixels = output_.shape.pixels();
    int64_t first = 0;
    for (const ValueLayout& input : inputs_) {
      for_every_plane(state, input, input.gate, [&](int64_t s, int64_t channel, bool stored) {
        float* out = state.sample(output_, s) + (first + channel) * output_.plane;
        if (stored) {
          std::copy_n(state.sample(input, s) + channel * input.plane, pixels, out);
        } else {
          std::fill_n(out, pixels, 0.0f);
        }
      });
      first += input.shape.c;
    }
  }

 private:
  std::vector<ValueLayout> inputs_;
  ValueLayout output_;
};

// Pad and Subsample: pixels taken one by one.
class MovePixels final : public PlaneStep {
 public:
  MovePixels(const Node& node, const ValueLayout& input, const ValueLayout& output, const char* name)
      : PlaneStep(node, input, output), name_(name) {}
  const char* variant() const override { return name_; }
  void run(const State& state) const override {
    const Shape in = input_.shape, out = output_.shape;
    for_every_plane(state, output_, output_.gate, [&](int64_t s, int64_t channel, bool) {
      float* target = to(state, s, channel);
      if (channel >= in.c || !present(state, s, channel)) return void(std::fill_n(target, out.pixels(), 0.0f));
      const float* source = from(state, s, channel);
      for (int64_t y = 0; y < out.h; ++y) {
        const int64_t i = y * node_.stride_h - node_.pad_top;
        for (int64_t x = 0; x < out.w; ++x) {
          const int64_t j = x * node_.stride_w - node_.pad_left;
          *target++ = i < 0 || j < 0 || i >= in.h || j >= in.w ? 0.0f : source[i * in.w + j];
        }
      }
    });
  }

 private:
  bool present(const State& state, int64_t s, int64_t channel) const {
    if (input_.gate < 0) return true;
    const cpu::ChannelList active = state.active(input_, s);
    return std::binary_search(active.index, active.index + active.count, static_cast<int32_t>(channel));
  }

  const char* name_;
};

// Activation and Scale. Channels that are not stored count as zeros.
class MapStep final : public PlaneStep {
 public:
  MapStep(const Node& node, const ValueLayout& input, const ValueLayout& output) : PlaneStep(node, input, output) {}
  const char* variant() const override { return "map"; }
  void run(const State& state) const override {
    const auto scale = FTWT_KERNEL(plane_scale);
    const auto unary = FTWT_KERNEL(unary_range);
    const int64_t pixels = output_.shape.pixels();
    const bool scales = node_.kind == NodeKind::Scale;
    for_every_plane(state, input_, input_.gate, [&](int64_t s, int64_t channel, bool stored) {
      float* out = to(state, s, channel);
      const float* in = from(state, s, channel);
      if (!stored) {
        std::fill_n(out, pixels, 0.0f);
        in = out;
      }
      const float factor = scales ? node_.weights[channel] : 1.0f;
      const float shift = scales && !node_.bias.empty() ? node_.bias[channel] : 0.0f;
      scale(in, pixels, factor, shift, node_.function ? Activation::Linear : node_.activation, out);
      if (!node_.function) return;
      unary(static_cast<int>(node_.function->op), out, out, pixels, node_.function->alpha, node_.function->beta);
      scale(out, pixels, 1, 0, node_.activation, out);
    });
  }
};

class FunctionStep final : public Step {
 public:
  FunctionStep(const Node& node, const ValueLayout& value, int32_t gate) : node_(node), value_(value), gate_(gate) {}
  const char* variant() const override { return "function"; }
  void run(const State& state) const override {
    const auto scale = FTWT_KERNEL(plane_scale);
    const auto unary = FTWT_KERNEL(unary_range);
    const int64_t pixels = value_.shape.pixels();
    for_each_plane(state, gate_, value_.shape.c, pixels, [&](int64_t s, int64_t channel) {
      float* plane = state.sample(value_, s) + channel * value_.plane;
      unary(static_cast<int>(node_.function->op), plane, plane, pixels, node_.function->alpha, node_.function->beta);
      if (node_.activation != Activation::Linear) scale(plane, pixels, 1, 0, node_.activation, plane);
    });
  }

 private:
  const Node& node_;
  ValueLayout value_;
  int32_t gate_;
};

class SoftmaxStep final : public PlaneStep {
 public:
  SoftmaxStep(const Node& node, const ValueLayout& input, const ValueLayout& output) : PlaneStep(node, input, output) {}
  const char* variant() const override { return "softmax"; }
  int64_t scratch_floats(int64_t samples) const override { return samples * output_.shape.floats() + 64; }
  void run(const State& state) const override {
    const auto softmax = FTWT_KERNEL(softmax_row);
    const Shape shape = output_.shape;
    write_images(state, input_, state.scratch);
    cpu::parallel_share(state.samples * shape.pixels(), 4096 / shape.c + 1, [&](int64_t begin, int64_t end, int) {
      for (int64_t i = begin; i < end; ++i) softmax(state.scratch + i * shape.c, shape.c);
    });
    read_images(state.scratch, state, output_);
  }
};

class ReshapeStep final : public PlaneStep {
 public:
  ReshapeStep(const Node& node, const ValueLayout& input, const ValueLayout& output) : PlaneStep(node, input, output) {}
  const char* variant() const override { return "reshape"; }
  int64_t scratch_floats(int64_t samples) const override { return samples * output_.shape.floats() + 64; }
  void run(const State& state) const override {
    write_images(state, input_, state.scratch);
    read_images(state.scratch, state, output_);
  }
};

}  // namespace

void read_images(const float* images, const State& state, const ValueLayout& value) {
  const auto split = FTWT_KERNEL(split_pixels);
  const Shape shape = value.shape;
  // A block of pixels is read from memory once, and from the cache for every channel.
  const int64_t block = std::max<int64_t>(16, kImageBlock / shape.c);
  const int64_t blocks = (shape.pixels() + block - 1) / block;
  cpu::parallel_share(state.samples * blocks, kPlaneGrain / kImageBlock + 1, [&](int64_t begin, int64_t end, int) {
    for (int64_t i = begin; i < end; ++i) {
      const int64_t s = i / blocks, first = i % blocks * block;
      const int64_t last = std::min(first + block, shape.pixels());
      split(images + s * shape.floats() + first * shape.c, last - first, shape.c, state.sample(value, s) + first,
            value.plane);
    }
  });
}

void write_images(const State& state, const ValueLayout& value, float* images) {
  const Shape shape = value.shape;
  for_every_plane(state, value, value.gate, [&](int64_t s, int64_t channel, bool stored) {
    float* to = images + s * shape.floats() + channel;
    const float* from = state.sample(value, s) + channel * value.plane;
    for (int64_t p = 0; p < shape.pixels(); ++p) to[p * shape.c] = stored ? from[p] : 0.0f;
  });
}

std::unique_ptr<Step> make_pool(const Node& node, const ValueLayout& input, const ValueLayout& output) {
  return std::make_unique<PoolStep>(node, input, output);
}
std::unique_ptr<Step> make_global_pool(const Node& node, const ValueLayout& input, const ValueLayout& output) {
  return std::make_unique<GlobalPoolStep>(node, input, output);
}
std::unique_ptr<Step> make_add(const Node& node, const ValueLayout& a, const ValueLayout& b,
                               const ValueLayout& output) {
  return std::make_unique<AddStep>(node, a, b, output);
}
std::unique_ptr<Step> make_concat(const Node&, const std::vector<ValueLayout>& inputs, const ValueLayout& output) {
  return std::make_unique<ConcatStep>(inputs, output);
}
std::unique_ptr<Step> make_pad(const Node& node, const ValueLayout& input, const ValueLayout& output) {
  return std::make_unique<MovePixels>(node, input, output, "pad");
}
std::unique_ptr<Step> make_subsample(const Node& node, const ValueLayout& input, const ValueLayout& output) {
  return std::make_unique<MovePixels>(node, input, output, "subsample");
}
std::unique_ptr<Step> make_map(const Node& node, const ValueLayout& input, const ValueLayout& output) {
  return std::make_unique<MapStep>(node, input, output);
}
std::unique_ptr<Step> make_scale(const Node& node, const ValueLayout& input, const ValueLayout& output) {
  return std::make_unique<MapStep>(node, input, output);
}
std::unique_ptr<Step> make_softmax(const Node& node, const ValueLayout& input, const ValueLayout& output) {
  return std::make_unique<SoftmaxStep>(node, input, output);
}
std::unique_ptr<Step> make_reshape(const Node& node, const ValueLayout& input, const ValueLayout& output) {
  return std::make_unique<ReshapeStep>(node, input, output);
}
std::unique_ptr<Step> make_function(const Node& node, const ValueLayout& value, int32_t gate) {
  return std::make_unique<FunctionStep>(node, value, gate);
}

}  // namespace ftwt::session
