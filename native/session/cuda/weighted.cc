// The nodes with weights.
#include <algorithm>

#include "ops/batch_norm.h"
#include "ops/depthwise_conv2d.h"
#include "ops/unary.h"
#include "session/cuda/steps.h"

namespace ftwt::session::device {
namespace {

namespace cuda = ftwt::cuda;

// [taps, c_in, c_out] with padded channels, as dense_convolution reads it.
std::vector<float> padded_filter(const std::vector<float>& filter, int64_t taps, int64_t c_in, int64_t c_out) {
  const int64_t columns = padded_channels(c_out);
  std::vector<float> padded(static_cast<std::size_t>(taps * padded_channels(c_in) * columns));
  for (int64_t tap = 0; tap < taps; ++tap) {
    for (int64_t i = 0; i < c_in; ++i) {
      std::copy_n(filter.data() + (tap * c_in + i) * c_out, c_out,
                  padded.data() + (tap * padded_channels(c_in) + i) * columns);
    }
  }
  return padded;
}

// The parts that the weighted nodes have in common: shape, bias, function, gate.
class WeightedStep : public Step {
 protected:
  WeightedStep(const Plan& plan, const Layout& layout, int32_t i, Weights& weights)
      : node_(plan.nodes[i]),
        in_(plan.shape(node_.inputs[0])),
        input_(node_.inputs[0]),
        output_(i + 1),
        gate_(layout.gates.of_node[i]),
        bias_(node_.bias.empty() ? -1 : weights.add(node_.bias)) {}

  const float* bias(const State& state) const { return bias_ < 0 ? nullptr : state.weights + bias_; }
  // What the product itself applies.
  Activation activation() const { return node_.function ? Activation::Linear : node_.activation; }

  Conv2dShape shape(int64_t n) const {
    return {n,
            in_.h,
            in_.w,
            in_.c,
            node_.kh,
            node_.kw,
            node_.out.c,
            node_.out.h,
            node_.out.w,
            node_.stride_h,
            node_.stride_w,
            node_.pad_top,
            node_.pad_left,
            node_.dilation_h,
            node_.dilation_w};
  }

  // The output with the channels that are computed: a residual fills the others as well.
  cuda::Activations gated_output(const State& state) const {
    return {state.data(output_), state.active(gate_, node_.out.c), state.place(output_).packed};
  }

  void queue_function(const State& state) const {
    if (!node_.function) return;
    float* y = state.data(output_);
    const int64_t count = state.floats(output_);
    cuda::unary({node_.function->op, y, y, count, node_.function->alpha, node_.function->beta});
    if (gate_ < 0) return queue_activation(node_.activation, y, count);
    cuda::gate_channels({state.n, node_.out.pixels(), y, state.active(gate_, node_.out.c), node_.activation});
  }

  const Node& node_;
  Shape in_;
  int32_t input_, output_, gate_;
  int64_t bias_;
};

class DenseConvolutionStep final : public WeightedStep {
 public:
  DenseConvolutionStep(const Plan& plan, const Layout& layout, int32_t i, Weights& weights)
      : WeightedStep(plan, layout, i, weights),
        steady_(layout.steady[i]),
        filter_(weights.add(padded_filter(node_.weights, node_.kh * node_.kw, in_.c, node_.out.c))) {}
  const char* variant() const override { return "convolution"; }

  void queue(const State& state) const override {
    const float* residual = node_.residual ? state.data(*node_.residual) : nullptr;
    cuda::dense_convolution({shape(state.n), state.data(input_), state.weights + filter_, bias(state), residual,
                             activation(), steady_, state.data(output_)});
    queue_function(state);
  }

 private:
  bool steady_;
  int64_t filter_;
};

class SparseConvolutionStep final : public WeightedStep {
 public:
  SparseConvolutionStep(const Plan& plan, const Layout& layout, int32_t i, Weights& weights)
      : WeightedStep(plan, layout, i, weights), filter_(weights.add_factors(node_.weights)) {}
  const char* variant() const override { return "sparse convolution"; }

  void queue(const State& state) const override {
    const float* residual = node_.residual ? state.data(*node_.residual) : nullptr;
    cuda::sparse_convolution({shape(state.n), state.activations(input_), state.weights + filter_, bias(state), residual,
                              activation(), gated_output(state)});
    queue_function(state);
  }

 private:
  int64_t filter_;
};

class DepthwiseStep final : public WeightedStep {
 public:
  DepthwiseStep(const Plan& plan, const Layout& layout, int32_t i, Weights& weights)
      : WeightedStep(plan, layout, i, weights), filter_(weights.add(node_.weights)) {}
  const char* variant() const override { return "depthwise convolution"; }

  void queue(const State& state) const override {
    cuda::depthwise_conv2d(
        {shape(state.n), state.data(input_), state.weights + filter_, bias(state), activation(), state.data(output_)});
    queue_function(state);
  }

 private:
  int64_t filter_;
};

class SparseDepthwiseStep final : public WeightedStep {
 public:
  SparseDepthwiseStep(const Plan& plan, const Layout& layout, int32_t i, Weights& weights)
      : WeightedStep(plan, layout, i, weights), filter_(weights.add(node_.weights)) {}
  const char* variant() const override { return "sparse depthwise convolution"; }

  void queue(const State& state) const override {
    cuda::sparse_depthwise({shape(state.n), state.activations(input_), state.weights + filter_, bias(state),
                            activation(), gated_output(state)});
    queue_function(state);
  }

 private:
  int64_t filter_;
};

// The windows of a convolution whose one window is the whole image.
class DenseStep final : public WeightedStep {
 public:
  DenseStep(const Plan& plan, const Layout& layout, int32_t i, Weights& weights)
      : WeightedStep(plan, layout, i, weights),
        steady_(layout.steady[i]),
        filter_(weights.add(padded_filter(node_.weights, in_.pixels(), in_.c, node_.out.c))) {}
  const char* variant() const override { return "dense"; }

  void queue(const State& state) const override {
    const Conv2dShape shape = {state.n, in_.h, in_.w, in_.c, in_.h, in_.w, node_.out.c, 1, 1, 1, 1, 0, 0, 1, 1};
    cuda::dense_convolution({shape, state.data(input_), state.weights + filter_, bias(state), nullptr, activation(),
                             steady_, state.data(output_)});
    queue_function(state);
  }

 private:
  bool steady_;
  int64_t filter_;
};

class ScaleStep final : public Step {
 public:
  ScaleStep(const Plan& plan, int32_t i, Weights& weights)
      : node_(plan.nodes[i]), output_(i + 1), factor_(weights.add(node_.weights)) {
    const auto channels = static_cast<std::size_t>(node_.out.c);
    shift_ = weights.add(node_.bias.empty() ? std::vector<float>(channels) : node_.bias);
    zeros_ = weights.add(std::vector<float>(channels));
    ones_ = weights.add(std::vector<float>(channels, 1.0f));
  }
  const char* variant() const override { return "scale"; }

  void queue(const State& state) const override {
    const float* w = state.weights;
    cuda::batch_norm({state.data(node_.inputs[0]), w + factor_, w + shift_, w + zeros_, w + ones_, state.data(output_),
                      state.n * node_.out.pixels(), node_.out.c, 0.0f, node_.activation});
  }

 private:
  const Node& node_;
  int32_t output_;
  int64_t factor_, shift_, zeros_, ones_;
};

class PredictorStep final : public Step {
 public:
  PredictorStep(const Node& node, int32_t gate, Weights& weights)
      : node_(node),
        gate_(gate),
        weights_(weights.add(node.predictor->weights)),
        bias_(weights.add(node.predictor->bias)) {}
  const char* variant() const override { return "predictor"; }

  void queue(const State& state) const override {
    const int32_t input = node_.inputs[0];
    cuda::predict_gate({state.n, state.place(input).shape.pixels(), node_.out.c, state.activations(input),
                        state.weights + weights_, state.weights + bias_, node_.predictor->average,
                        node_.predictor->softmax, state.active_output(gate_)});
  }

 private:
  const Node& node_;
  int32_t gate_;
  int64_t weights_, bias_;
};

// Whether it reads or writes less than all channels.
bool is_sparse(const Plan& plan, const Layout& layout, int32_t i) {
  return layout.gates.of_node[i] >= 0 || layout.gates.of_value[plan.nodes[i].inputs[0]] >= 0;
}

}  // namespace

std::unique_ptr<Step> make_predictor(const Node& node, int32_t gate, Weights& weights) {
  return std::make_unique<PredictorStep>(node, gate, weights);
}
std::unique_ptr<Step> make_convolution(const Plan& plan, const Layout& layout, int32_t i, Weights& weights) {
  if (is_sparse(plan, layout, i)) return std::make_unique<SparseConvolutionStep>(plan, layout, i, weights);
  return std::make_unique<DenseConvolutionStep>(plan, layout, i, weights);
}
std::unique_ptr<Step> make_depthwise(const Plan& plan, const Layout& layout, int32_t i, Weights& weights) {
  if (is_sparse(plan, layout, i)) return std::make_unique<SparseDepthwiseStep>(plan, layout, i, weights);
  return std::make_unique<DepthwiseStep>(plan, layout, i, weights);
}
std::unique_ptr<Step> make_dense(const Plan& plan, const Layout& layout, int32_t i, Weights& weights) {
  return std::make_unique<DenseStep>(plan, layout, i, weights);
}
std::unique_ptr<Step> make_scale(const Plan& plan, int32_t i, Weights& weights) {
  return std::make_unique<ScaleStep>(plan, i, weights);
}

}  // namespace ftwt::session::device
