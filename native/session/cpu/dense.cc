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
        for (int64_t first = 0; first < outputs; first += columns_) {
          std::copy_n(node.weights.data() + (p * channels + c) * outputs + first, width(first),
                      weights_.data() + first * row() + (c * pixels + p) * width(first));
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
    const int64_t grain = kGrain / (row() * columns_ * state.samples) + 1;
    cpu::parallel_share(blocks(), grain, [&](int64_t begin, int64_t end, int) {
      for (int64_t block = begin; block < end; ++block) {
        const int64_t first = block * columns_;
        dense({weights_.data() + first * row(), width(first), row(), state.scratch, row(),
               node_.bias.empty() ? nullptr : node_.bias.data() + first, node_.activation,
               state.sample(output_, 0) + first, output_.sample},
              state.samples, 0, width(first));
      }
    });
  }

 private:
  int64_t row() const { return input_.shape.floats(); }
  int64_t blocks() const { return (output_.shape.c + columns_ - 1) / columns_; }
  // Outputs of the block that begins with this one.
  int64_t width(int64_t first) const { return std::min(columns_, output_.shape.c - first); }

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
  int64_t columns_ = 4 * FTWT_KERNEL(vector_lanes)();  // outputs whose weights follow one another
  cpu::Floats weights_;                                // [blocks, c, pixels, width()]
};

}  // namespace

std::unique_ptr<Step> make_dense(const Node& node, const ValueLayout& input, const ValueLayout& output) {
  return std::make_unique<DenseStep>(node, input, output);
}

}  // namespace ftwt::session
