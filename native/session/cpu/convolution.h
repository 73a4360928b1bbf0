// The ways to run a convolution over planes. `shifted`, `strips`, `gathered` and `in place` add the same products
// in the same order, to the same bits, but for last pixels (cpu/planes/last_pixels.h) of all but strips; dot products
// and the Winograd transforms round differently.
#pragma once
#include <memory>
#include <optional>
#include <vector>

#include "session/cpu/state.h"

namespace ftwt::session {

// A Conv node as the executor placed it.
struct Convolution {
  const Node* node;
  ValueLayout input, output;
  std::optional<ValueLayout> residual;
  int32_t gate = -1;  // of the output channels that are computed
  // The residual lies where the output does, and the activation changes nothing of it.
  bool residual_stays = false;

  cpu::PlaneWindow window() const {
    return {input.shape.h,  input.shape.w,  output.shape.h,   output.shape.w,   node->kh,      node->kw,
            node->stride_h, node->stride_w, node->dilation_h, node->dilation_w, node->pad_top, node->pad_left};
  }
  int64_t taps() const { return node->kh * node->kw; }
  // All samples compute the same sums, so they can share tiles.
  bool joins_samples() const { return gate < 0 && input.gate < 0; }
};

enum class ConvVariant { InPlace, Shifted, Strips, Gathered, Dots, Winograd2, Winograd4, WinogradPoints };

const char* variant_name(ConvVariant variant);
std::vector<ConvVariant> possible_variants(const Convolution& convolution);
std::unique_ptr<Step> make_convolution(const Convolution& convolution, ConvVariant variant);

// What the variants share ---------------------------------------------------------------------------------------------

// Output channels are cut into blocks, each with its weights for every sample before the next.
class RowBlocks {
 public:
  // `bytes_per_row`: of weights. At least one block for each thread, where there are so many channels, and up to
  // `each`: few have long streams of weights, many share the work out evenly.
  RowBlocks(const State& state, const Convolution& convolution, int64_t bytes_per_row, int64_t largest,
            int64_t each = kEach);
  static constexpr int64_t kEach = 4;
  RowBlocks(const State& state, const Convolution& convolution, int64_t count)
      : state_(state), convolution_(convolution), count_(count) {}
  int64_t count() const { return count_; }
  // The computed channels of sample s in block i. One sample's are shared out evenly, several samples' by number, so
  // that they read the same weights.
  cpu::ChannelList rows(int64_t i, int64_t s) const;
  // The same as whole panels of the list, but for the last: where in the list block i begins (i = count(): its end).
  int64_t begin(int64_t i, int64_t s) const;

 private:
  const State& state_;
  const Convolution& convolution_;
  int64_t count_;
};

// Channels that are not computed, where the output stores all: activation(residual), or 0.
void fill_inactive(const State& state, const Convolution& convolution);

// Of `samples`, those that are transformed or packed at once: so many that `floats` of each stay in the last-level
// cache.
int64_t group_size(int64_t samples, int64_t floats);

// [taps, output pixels]: the pixel of the input that a tap reads, -1 in the padding.
std::vector<int32_t> window_pixels(const cpu::PlaneWindow& window);

// [cOut, weight_stride(cIn * taps)]: of each output channel [cIn, taps]. Or panels of so many rows:
// [cOut / panel_rows, cIn, taps, panel_rows]. `behind`: floats that may be read behind them.
cpu::Floats weights_by_output(const Node& node, int64_t inputs, int64_t panel_rows = 1, int64_t behind = 0);

// Whether rows are so short that shifted planes of them, which waste the lanes between rows, should lie flat.
bool lies_flat(const Convolution& convolution);

using PlaneGemmKernel = void (*)(const cpu::PlaneGemm&, cpu::ChannelList);
using PackPanelsKernel = void (*)(const cpu::PlaneGemm&, cpu::ChannelList, int64_t, int64_t, float*);

// Whether weights can lie in panels: all channels are computed from all channels.
bool takes_panels(const Convolution& convolution);
// Of the weights of one that takes panels, else 1.
int64_t panel_rows(const Convolution& convolution);

}  // namespace ftwt::session
