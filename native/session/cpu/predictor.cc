#include "cpu/dispatch.h"
#include "session/cpu/planewise.h"
#include "session/cpu/predictor_dense.h"
#include "session/cpu/steps.h"

FTWT_DECLARE_KERNEL(void softmax_row(float* x, int64_t c))

namespace ftwt::session {
namespace {

constexpr int64_t kSampleGrain = 1024;  // channels

// A predictor: pooling, softmax, dense layer, and the mask and the list of the channels whose logit is positive.
class PredictorStep final : public Step {
 public:
  PredictorStep(const Node& node, const ValueLayout& input, int32_t gate)
      : node_(node), input_(input), gate_(gate), dense_(make_predictor_dense(*node.predictor, input, node.out.c)) {}
  const char* variant() const override { return "predictor"; }
  uint64_t weight_bytes() const override { return dense_->weight_bytes(); }
  int64_t scratch_floats(int64_t samples) const override {
    return samples * (feature_stride() + logit_stride()) + dense_->scratch_floats(samples);
  }

  void run(const State& state) const override {
    float* features = state.scratch;
    float* logits = features + state.samples * feature_stride();
    pool(state, features);
    if (node_.predictor->softmax) {
      const auto softmax = FTWT_KERNEL(softmax_row);
      for_each_sample(state, input_.shape.c,
                      [&](int64_t s) { softmax(features + s * feature_stride(), input_.shape.c); });
    }
    float* scratch = logits + state.samples * logit_stride();
    dense_->run(state, {features, feature_stride(), logits, logit_stride(), scratch});
    for_each_sample(state, node_.out.c, [&](int64_t s) { list(state, s, logits + s * logit_stride()); });
  }

 private:
  // On the pool where the channels are worth it.
  template <typename Body>
  static void for_each_sample(const State& state, int64_t channels, const Body& body) {
    cpu::parallel_for(state.samples, kSampleGrain / channels + 1, [&](int64_t begin, int64_t end, int) {
      for (int64_t s = begin; s < end; ++s) body(s);
    });
  }

  int64_t feature_stride() const { return round_up(input_.shape.c + 1, 64); }
  int64_t logit_stride() const { return round_up(node_.out.c, 64); }

  void pool(const State& state, float* features) const {
    if (input_.pooled >= 0) {
      for (int64_t s = 0; s < state.samples; ++s) {
        std::copy_n(state.pooled(input_, s), input_.shape.c, features + s * feature_stride());
      }
      return;
    }
    if (input_.gate >= 0) std::fill_n(features, state.samples * feature_stride(), 0.0f);
    pool_planes(state, input_, node_.predictor->average, [&](int64_t s) { return features + s * feature_stride(); });
  }

  void list(const State& state, int64_t s, const float* logits) const {
    const int64_t channels = node_.out.c;
    uint8_t* mask = state.mask(gate_, s);
    if (const uint8_t* forced = state.forced(gate_, s)) {
      std::copy_n(forced, channels, mask);
    } else {
      FTWT_KERNEL(positive_channels)(logits, channels, mask);
    }
    state.count(gate_, s) = static_cast<int32_t>(FTWT_KERNEL(list_channels)(mask, channels, state.list(gate_, s)));
  }

  const Node& node_;
  ValueLayout input_;
  int32_t gate_;
  std::unique_ptr<PredictorDense> dense_;
};

}  // namespace

std::unique_ptr<Step> make_predictor(const Node& node, const ValueLayout& input, int32_t gate) {
  return std::make_unique<PredictorStep>(node, input, gate);
}

}  // namespace ftwt::session
