// What convolutions that multiply weights as they are have in common.
#pragma once
#include <algorithm>

#include "cpu/thread_pool.h"
#include "session/cpu/convolution.h"

namespace ftwt::session {

// Tasks for each thread.
constexpr int64_t kTasksEach = 2;
// Packed weights of the samples that are multiplied together, in floats.
constexpr int64_t kMostPacked = 1 << 20;
// Weights that are packed before another thread should help, in floats.
constexpr int64_t kPackGrain = 8 * 1024;
// Floats behind a buffer that whole tiles may read.
constexpr int64_t kSlack = 64;

class Direct : public Step {
 protected:
  explicit Direct(const Convolution& convolution)
      : c_(convolution),
        weights_(weights_by_output(*convolution.node, convolution.input.shape.c, panel_rows(convolution))) {}

  uint64_t weight_bytes() const override { return weights_.size() * sizeof(float); }
  int64_t row_floats() const { return weight_stride(c_.taps() * c_.input.shape.c); }

  cpu::PlaneGemm gemm(cpu::ChannelList columns) const {
    cpu::PlaneGemm g = {};
    (takes_panels(c_) ? g.panels : g.weights) = weights_.data();
    g.row_stride = row_floats();
    g.columns = columns;
    g.taps = c_.taps();
    g.bias = c_.node->bias.empty() ? nullptr : c_.node->bias.data();
    g.activation = Activation::Linear;
    return g;
  }

  int64_t pixels_of(int64_t vectors) const { return vectors * lanes_; }

  // Samples whose packed weights stay in the last-level cache.
  int64_t most_packed() const { return std::max<int64_t>(1, kMostPacked / packed_floats()); }

  // Blocks of pixels share the computed channels' weights, packed once for each sample.
  bool packs_panels(int64_t pixel_blocks) const {
    return pixel_blocks > 1 && !takes_panels(c_) && c_.taps() <= cpu::PlaneGemm::kMostPanelTaps;
  }
  int64_t packed_floats() const { return round_up(c_.output.shape.c * c_.input.shape.c * c_.taps(), 16); }

  // Panels of each sample, `stride` floats apart.
  void pack_weights(const State& state, int64_t first, int64_t samples, float* panels, int64_t stride) const {
    const int64_t channels = c_.output.shape.c;
    const int64_t parts = (channels + cpu::PlaneGemm::kPanelMultiple - 1) / cpu::PlaneGemm::kPanelMultiple;
    const int64_t work = cpu::PlaneGemm::kPanelMultiple * c_.input.shape.c * c_.taps();
    cpu::parallel_share(samples * parts, kPackGrain / work + 1, [&](int64_t begin, int64_t end, int) {
      for (int64_t i = begin; i < end; ++i) {
        const int64_t s = i / parts, row = i % parts * cpu::PlaneGemm::kPanelMultiple;
        const cpu::ChannelList rows = state.active(c_.gate, first + s, channels);
        if (row >= rows.count) continue;
        pack_(gemm(state.active(c_.input, first + s)), rows, row,
              std::min(rows.count, row + cpu::PlaneGemm::kPanelMultiple), panels + s * stride);
      }
    });
  }

  // Block i of sample s, whose panels are given, for a product.
  cpu::ChannelList packed_block(const State& state, const RowBlocks& blocks, int64_t i, int64_t s, const float* panels,
                                cpu::PlaneGemm& g) const {
    const int64_t begin = blocks.begin(i, s);
    g.panels = panels + begin * g.columns.count * g.taps;
    g.listed = true;
    return {state.active(c_.gate, s, c_.output.shape.c).index + begin, blocks.begin(i + 1, s) - begin};
  }

  const float* residual(const State& state, int64_t s) const {
    return c_.residual ? state.sample(*c_.residual, s) : nullptr;
  }

  Convolution c_;
  // Those of the panels and of the scratch memory, whatever other steps change to.
  int64_t lanes_ = FTWT_KERNEL(vector_lanes)();
  PlaneGemmKernel kernel_ = FTWT_KERNEL(plane_gemm);
  PackPanelsKernel pack_ = FTWT_KERNEL(pack_panels);
  cpu::Floats weights_;  // [cOut, row_floats], or panels
};

}  // namespace ftwt::session
