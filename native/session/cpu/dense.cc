#include "cpu/dispatch.h"
#include "session/cpu/planewise.h"
#include "session/cpu/steps.h"

namespace ftwt::session {
namespace {

constexpr int64_t kGrain = 1 << 16;  // multiply-adds

// Outputs whose weights follow one another.
constexpr int64_t kColumns = 32;

// Inputs are taken plane by plane, so the weights' rows are put in that order once.
class DenseStep final : public Step {
 public:
  DenseStep(const Node& node, const ValueLayout& input, const ValueLayout& output)
      : node_(node), input_(input), output_(output) {
    const int64_t pixels = input.shape.pixels(), channels = input.shape.c, outputs = output.shape.c;
    weights_.resize(static_cast<std::size_t>(blocks() * row() * kColumns));
    for (int64_t p = 0; p < pixels; ++p) {
      for (int64_t c = 0; c < channels; ++c) {
        for (int64_t first = 0; first < outputs; first += kColumns) {
          std::copy_n(node.weights.data() + (p * channels + c) * outputs + first, std::min(kColumns, outputs - first),
                      weights_.data() + first * row() + (c * pixels + p) * kColumns);
        }
      }
    }
  }
  const char* variant() const override { return "dense"; }
  uint64_t weight_bytes() const override { return weights_.size() * sizeof(float); }
  int64_t scratch_floats(int64_t samples) const override { return samples * row() + 64; }

  void run(const State& state) const override {
    const auto dense = FTWT_KERNEL(dense_columns);
    gather(state);
    const int64_t grain = kGrain / (row() * kColumns * state.samples) + 1;
    cpu::parallel_share(blocks(), grain, [&](int64_t begin, int64_t end, int) {
      for (int64_t block = begin; block < end; ++block) {
        const int64_t first = block * kColumns;
        dense({weights_.data() + first * row(), kColumns, row(), state.scratch, row(),
               node_.bias.empty() ? nullptr : node_.bias.data() + first, node_.activation,
               state.sample(output_, 0) + first, output_.sample},
              state.samples, 0, std::min(kColumns, output_.shape.c - first));
      }
    });
  }

 private:
  int64_t row() const { return input_.shape.floats(); }
  int64_t blocks() const { return (output_.shape.c + kColumns - 1) / kColumns; }

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
  cpu::Floats weights_;  // [blocks, c, pixels, kColumns]
};

}  // namespace

std::unique_ptr<Step> make_dense(const Node& node, const ValueLayout& input, const ValueLayout& output) {
  return std::make_unique<DenseStep>(node, input, output);
}

}  // namespace ftwt::session
