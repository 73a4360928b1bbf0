#include "session/cuda/steps.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "ops/binary.h"
#include "ops/copy.h"
#include "ops/fill.h"
#include "ops/pool.h"
#include "ops/reduce.h"
#include "ops/unary.h"

namespace ftwt::session::device {
namespace {

namespace cuda = ftwt::cuda;

// As to_tf32 in cuda/device.cuh.
float round_to_tf32(float value) {
  if (!std::isfinite(value)) return value;
  uint32_t bits;
  std::memcpy(&bits, &value, sizeof(bits));
  bits = (bits + 0x1000u) & 0xffffe000u;
  std::memcpy(&value, &bits, sizeof(bits));
  return value;
}

class PlainStep : public Step {
 public:
  PlainStep(const Plan& plan, int32_t i) : node_(plan.nodes[i]), in_(plan.shape(node_.inputs[0])), output_(i + 1) {}

 protected:
  const float* x(const State& state, int input = 0) const { return state.data(node_.inputs[input]); }
  float* y(const State& state) const { return state.data(output_); }
  int64_t count(const State& state) const { return state.floats(output_); }

  const Node& node_;
  Shape in_;
  int32_t output_;
};

class PoolStep final : public PlainStep {
 public:
  using PlainStep::PlainStep;
  const char* variant() const override { return node_.average ? "average pool" : "max pool"; }
  void queue(const State& state) const override {
    const int32_t input = node_.inputs[0];
    if (state.place(input).packed) {
      const Conv2dShape shape = {state.n,        in_.h,         in_.w,          in_.c,       node_.kh,
                                 node_.kw,       in_.c,         node_.out.h,    node_.out.w, node_.stride_h,
                                 node_.stride_w, node_.pad_top, node_.pad_left, 1,           1};
      const cuda::Activations packed = state.activations(input);
      return cuda::sparse_pool({shape, packed, node_.average, {y(state), packed.active, state.place(output_).packed}});
    }
    cuda::pool({node_.average, x(state), y(state), state.n, in_.h, in_.w, in_.c, node_.out.h, node_.out.w, node_.kh,
                node_.kw, node_.stride_h, node_.stride_w, node_.pad_top, node_.pad_left});
  }
};

class GlobalPoolStep final : public PlainStep {
 public:
  using PlainStep::PlainStep;
  const char* variant() const override { return "global pool"; }
  void queue(const State& state) const override {
    cuda::global_pool({state.n, in_.pixels(), state.activations(node_.inputs[0]), node_.average, y(state)});
  }
};

class AddStep final : public PlainStep {
 public:
  using PlainStep::PlainStep;
  const char* variant() const override { return "add"; }
  void queue(const State& state) const override {
    cuda::binary({BinaryOp::Add, {1, {count(state)}, {1}, {1}}, x(state, 0), x(state, 1), y(state)});
    queue_activation(node_.activation, y(state), count(state));
  }
};

class ConcatStep final : public PlainStep {
 public:
  ConcatStep(const Plan& plan, int32_t i) : PlainStep(plan, i) {
    for (const int32_t value : node_.inputs) channels_.push_back(plan.shape(value).c);
  }
  const char* variant() const override { return "concat"; }
  void queue(const State& state) const override {
    const int64_t pixels = state.n * node_.out.pixels();
    float* to = y(state);
    for (std::size_t i = 0; i < channels_.size(); ++i) {
      const int64_t c = channels_[i];
      cuda::copy({{2, {pixels, c}, {c, 1}, {node_.out.c, 1}}, x(state, static_cast<int>(i)), to});
      to += c;
    }
  }

 private:
  std::vector<int64_t> channels_;
};

class PadStep final : public PlainStep {
 public:
  using PlainStep::PlainStep;
  const char* variant() const override { return "pad"; }
  void queue(const State& state) const override {
    const Shape& out = node_.out;
    cuda::fill({y(state), count(state), 0.0f});
    cuda::copy(
        {{3, {state.n, in_.h, in_.w * in_.c}, {in_.floats(), in_.w * in_.c, 1}, {out.floats(), out.w * out.c, 1}},
         x(state),
         y(state) + (node_.pad_top * out.w + node_.pad_left) * out.c});
  }
};

class SubsampleStep final : public PlainStep {
 public:
  using PlainStep::PlainStep;
  const char* variant() const override { return "subsample"; }
  void queue(const State& state) const override {
    const Shape& out = node_.out;
    if (out.c > in_.c) cuda::fill({y(state), count(state), 0.0f});
    cuda::copy({{4,
                 {state.n, out.h, out.w, in_.c},
                 {in_.floats(), node_.stride_h * in_.w * in_.c, node_.stride_w * in_.c, 1},
                 {out.floats(), out.w * out.c, out.c, 1}},
                x(state),
                y(state)});
  }
};

class ReshapeStep final : public PlainStep {
 public:
  using PlainStep::PlainStep;
  const char* variant() const override { return "reshape"; }
  void queue(const State& state) const override { cuda::copy({{1, {count(state)}, {1}, {1}}, x(state), y(state)}); }
};

class ActivationStep final : public PlainStep {
 public:
  using PlainStep::PlainStep;
  const char* variant() const override { return "activation"; }
  void queue(const State& state) const override {
    if (node_.function) {
      const Function& f = *node_.function;
      cuda::unary({f.op, x(state), y(state), count(state), f.alpha, f.beta});
    } else {
      cuda::copy({{1, {count(state)}, {1}, {1}}, x(state), y(state)});
    }
    queue_activation(node_.activation, y(state), count(state));
  }
};

class SoftmaxStep final : public PlainStep {
 public:
  using PlainStep::PlainStep;
  const char* variant() const override { return "softmax"; }
  void queue(const State& state) const override { cuda::softmax({x(state), y(state), state.n * in_.pixels(), in_.c}); }
};

std::unique_ptr<Step> make_step(const Plan& plan, const Layout& layout, int32_t i, Weights& weights) {
  switch (plan.nodes[i].kind) {
    case NodeKind::Conv: return make_convolution(plan, layout, i, weights);
    case NodeKind::Depthwise: return make_depthwise(plan, layout, i, weights);
    case NodeKind::Dense: return make_dense(plan, layout, i, weights);
    case NodeKind::Pool: return std::make_unique<PoolStep>(plan, i);
    case NodeKind::GlobalPool: return std::make_unique<GlobalPoolStep>(plan, i);
    case NodeKind::Add: return std::make_unique<AddStep>(plan, i);
    case NodeKind::Concat: return std::make_unique<ConcatStep>(plan, i);
    case NodeKind::Pad: return std::make_unique<PadStep>(plan, i);
    case NodeKind::Activation: return std::make_unique<ActivationStep>(plan, i);
    case NodeKind::Scale: return make_scale(plan, i, weights);
    case NodeKind::Softmax: return std::make_unique<SoftmaxStep>(plan, i);
    case NodeKind::Subsample: return std::make_unique<SubsampleStep>(plan, i);
    case NodeKind::Reshape: return std::make_unique<ReshapeStep>(plan, i);
    case NodeKind::Count: break;
  }
  throw Error(ErrorCode::Internal, "A node of an unknown kind");
}

}  // namespace

cuda::ActiveView State::active(int32_t gate, int64_t c) const {
  const auto width = static_cast<int>(c);
  if (gate < 0) return {channels, channels, width, true};
  const int32_t* list = lists + layout->list_offsets[gate];
  return {list, list + batch * c, width, false};
}

cuda::ActiveOutput State::active_output(int32_t gate) const {
  int32_t* list = lists + layout->list_offsets[gate];
  const int64_t offset = layout->gates.mask_offsets[gate];
  return {list,           list + batch * layout->gates.channels[gate],   counts + gate, layout->gates.count(),
          masks + offset, forced == nullptr ? nullptr : forced + offset, mask_width};
}

cuda::Activations State::activations(int32_t value) const {
  const ValueLayout& at = place(value);
  return {data(value), active(at.gate, at.shape.c), at.packed};
}

int64_t Weights::add(const std::vector<float>& values) {
  constexpr std::size_t kAlignment = 64;  // floats: 256 bytes
  const std::size_t offset = (all_.size() + kAlignment - 1) / kAlignment * kAlignment;
  all_.resize(offset);
  all_.insert(all_.end(), values.begin(), values.end());
  return static_cast<int64_t>(offset);
}

int64_t Weights::add_factors(const std::vector<float>& values) {
  const int64_t offset = add(values);
  if (precision_ == cuda::Precision::Tf32) {
    std::transform(all_.begin() + offset, all_.end(), all_.begin() + offset, round_to_tf32);
  }
  return offset;
}

void queue_activation(Activation activation, float* y, int64_t count) {
  if (activation == Activation::Linear) return;
  const UnaryOp op = activation == Activation::Relu ? UnaryOp::Relu : UnaryOp::Relu6;
  cuda::unary({op, y, y, count, 0.0f, 0.0f});
}

std::vector<PlacedStep> make_steps(const Plan& plan, const Layout& layout, Weights& weights) {
  std::vector<PlacedStep> steps;
  for (int32_t i = 0; i < static_cast<int32_t>(plan.nodes.size()); ++i) {
    const int32_t gate = layout.gates.of_node[i];
    if (gate >= 0) steps.push_back({i, make_predictor(plan.nodes[i], gate, weights)});
    steps.push_back({i, make_step(plan, layout, i, weights)});
  }
  return steps;
}

}  // namespace ftwt::session::device
