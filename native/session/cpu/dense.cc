#include "cpu/dispatch.h"
#include "session/cpu/planewise.h"
#include "session/cpu/steps.h"

namespace ftwt::session {
namespace {

constexpr int64_t kGrain = 1 << 16;  // multiply-adds

// Inputs are taken plane by plane, so the weights' rows are put in that order once.
class DenseStep final : public Step {
 public:
  DenseStep(const Node& node, const ValueLayout& input, const ValueLayout& output)
      : node_(node), input_(input), output_(output) {
    const int64_t pixels = input.shape.pixels(), channels = input.shape.c, outputs = output.shape.c;
    weights_.resize(node.weights.size());
    for (int64_t p = 0; p < pixels; ++p) {
      for (int64_t c = 0; c < channels; ++c) {
        std::copy_n(node.weights.data() + (p * channels + c) * outputs, outputs,
                    weights_.data() + (c * pixels + p) * outputs);
      }
    }
  }
  const char* variant() const override { return "dense"; }
  uint64_t weight_bytes() const override { return weights_.size() * sizeof(float); }
  int64_t scratch_floats(int64_t samples) const override { return samples * row() + 64; }

  void run(const State& state) const override {
    const auto dense = FTWT_KERNEL(dense_columns);
    gather(state);
    const int64_t outputs = output_.shape.c;
    const int64_t vectors = (outputs + 15) / 16;
    cpu::parallel_share(vectors, kGrain / (row() * 16 * state.samples) + 1, [&](int64_t begin, int64_t end, int) {
      dense(state.scratch, row(), state.samples, row(), weights_.data(), outputs,
            node_.bias.empty() ? nullptr : node_.bias.data(), begin * 16, std::min(outputs, end * 16), node_.activation,
            state.sample(output_, 0), output_.sample);
    });
  }

 private:
  int64_t row() const { return input_.shape.floats(); }

  void gather(const State& state) const {
    const int64_t pixels = input_.shape.pixels();
    for_every_plane(state, input_, input_.gate, [&](int64_t s, int64_t channel, bool stored) {
      float* to = state.scratch + s * row() + channel * pixels;
      if (stored) {
        std::copy_n(state.sample(input_, s) + channel * input_.plane, pixels, to);
      } else {
        std::fill_n(to, pixels, 0.0f);
      }
    });
  }

  const Node& node_;
  ValueLayout input_, output_;
  cpu::Floats weights_;  // [c, pixels, outputs]
};

}  // namespace

std::unique_ptr<Step> make_dense(const Node& node, const ValueLayout& input, const ValueLayout& output) {
  return std::make_unique<DenseStep>(node, input, output);
}

}  // namespace ftwt::session
