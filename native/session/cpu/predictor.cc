#include "cpu/dispatch.h"
#include "session/cpu/planewise.h"
#include "session/cpu/steps.h"

FTWT_DECLARE_KERNEL(void softmax_row(float* x, int64_t c))

namespace ftwt::session {
namespace {

constexpr int64_t kDenseGrain = 1 << 16;  // multiply-adds

// Channels of the input that are not active all have one feature: 0, or what softmax makes of 0. Their rows of the
// dense layer are not read: sum over all j: f[j] w[j] = f0 * sum over all j: w[j] + sum over active j: (f[j] - f0)
// w[j].
class PredictorStep final : public Step {
 public:
  PredictorStep(const Node& node, const ValueLayout& input, int32_t gate)
      : node_(node), input_(input), gate_(gate), sums_(static_cast<std::size_t>(node.out.c)) {
    for (int64_t o = 0; o < node.out.c; ++o) {
      double sum = 0;
      for (int64_t i = 0; i < input.shape.c; ++i) sum += predictor().weights[i * node.out.c + o];
      sums_[o] = static_cast<float>(sum);
    }
  }
  const char* variant() const override { return "predictor"; }
  uint64_t weight_bytes() const override { return predictor().weights.size() * sizeof(float); }
  int64_t scratch_floats(int64_t samples) const override { return samples * (feature_stride() + logit_stride()) + 64; }

  void run(const State& state) const override {
    float* features = state.scratch;
    float* logits = features + state.samples * feature_stride();
    pool(state, features);
    const auto softmax = FTWT_KERNEL(softmax_row);
    if (predictor().softmax) {
      for (int64_t s = 0; s < state.samples; ++s) softmax(features + s * feature_stride(), input_.shape.c);
    }
    input_.gate < 0 ? multiply(state, features, logits) : multiply_active(state, features, logits);
    for (int64_t s = 0; s < state.samples; ++s) list(state, s, logits + s * logit_stride());
  }

 private:
  const Predictor& predictor() const { return *node_.predictor; }
  static constexpr int64_t kColumns = 64;
  int64_t feature_stride() const { return round_up(input_.shape.c + 1, 16); }
  int64_t logit_stride() const { return round_up(node_.out.c, 16); }

  void pool(const State& state, float* features) const {
    const auto largest = FTWT_KERNEL(plane_max);
    const auto sum = FTWT_KERNEL(plane_sum);
    const int64_t pixels = input_.shape.pixels();
    if (input_.gate >= 0) std::fill_n(features, state.samples * feature_stride(), 0.0f);
    for_each_plane(state, input_.gate, input_.shape.c, pixels, [&](int64_t s, int64_t channel) {
      const float* plane = state.sample(input_, s) + channel * input_.plane;
      features[s * feature_stride() + channel] =
          predictor().average ? sum(plane, pixels) / static_cast<float>(pixels) : largest(plane, pixels);
    });
  }

  void multiply(const State& state, const float* features, float* logits) const {
    const auto dense = FTWT_KERNEL(dense_columns);
    const int64_t inputs = input_.shape.c, outputs = node_.out.c;
    const int64_t vectors = (outputs + 15) / 16;
    cpu::parallel_for(vectors, kDenseGrain / (inputs * 16 * state.samples) + 1, [&](int64_t begin, int64_t end, int) {
      dense(features, feature_stride(), state.samples, inputs, predictor().weights.data(), outputs,
            predictor().bias.data(), begin * 16, std::min(outputs, end * 16), Activation::Linear, logits,
            logit_stride());
    });
  }

  void multiply_active(const State& state, float* features, float* logits) const {
    const auto dense = FTWT_KERNEL(dense_listed);
    const int64_t inputs = input_.shape.c, outputs = node_.out.c;
    const auto rest = [&](int64_t s) { return features[s * feature_stride() + inputs]; };
    for (int64_t s = 0; s < state.samples; ++s) compact(state, s, features + s * feature_stride());
    const int64_t blocks = (outputs + kColumns - 1) / kColumns;  // each read once, for all samples
    cpu::parallel_for(
        blocks, kDenseGrain / (inputs * kColumns * state.samples) + 1, [&](int64_t begin, int64_t end, int) {
          for (int64_t block = begin; block < end; ++block) {
            for (int64_t s = 0; s < state.samples; ++s) {
              const cpu::ChannelList active = state.active(input_, s);
              dense(features + s * feature_stride(), active.index, active.count, predictor().weights.data(), outputs,
                    predictor().bias.data(), rest(s), sums_.data(), block * kColumns,
                    std::min(outputs, (block + 1) * kColumns), logits + s * logit_stride());
            }
          }
        });
  }

  // features[j] of the active channels less that of all others, which goes behind the last.
  void compact(const State& state, int64_t s, float* features) const {
    const cpu::ChannelList active = state.active(input_, s);
    const int64_t inputs = input_.shape.c;
    float other = 0;
    for (int64_t i = 0; predictor().softmax && i < inputs; ++i) {
      if (i == active.count || active.index[i] != i) {  // the first that is not active
        other = features[i];
        break;
      }
    }
    for (int64_t j = 0; j < active.count; ++j) features[j] = features[active.index[j]] - other;
    features[inputs] = other;
  }

  void list(const State& state, int64_t s, const float* logits) const {
    const Gate& gate = (*state.gates)[gate_];
    int32_t* active = state.lists + gate.list_offset + s * gate.channels;
    const uint8_t* forced =
        state.forced_masks != nullptr ? state.forced_masks + s * state.mask_width + gate.mask_offset : nullptr;
    int32_t count = 0;
    for (int64_t i = 0; i < gate.channels; ++i) {
      active[count] = static_cast<int32_t>(i);
      count += forced != nullptr ? forced[i] != 0 : logits[i] > 0;
    }
    state.counts[gate_ * state.max_samples + s] = count;
  }

  const Node& node_;
  ValueLayout input_;
  int32_t gate_;
  std::vector<float> sums_;  // of each column of the weights
};

}  // namespace

std::unique_ptr<Step> make_predictor(const Node& node, const ValueLayout& input, int32_t gate) {
  return std::make_unique<PredictorStep>(node, input, gate);
}

}  // namespace ftwt::session
