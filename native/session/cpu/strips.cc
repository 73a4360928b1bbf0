#include "session/cpu/strips.h"

#include <algorithm>

#include "cpu/cache.h"
#include "cpu/scratch.h"
#include "session/cpu/direct_step.h"

namespace ftwt::session {
namespace {

// Multiplications that are worth a task beside one for each thread.
constexpr int64_t kTaskWork = 1 << 20;
// Shifted planes of one strip, in floats: half of what of the second-level cache is for one thing.
int64_t strip_planes() { return cpu::half_second_level_bytes() / 8; }
// From so many pixels on, the computed channels' weights are packed beforehand; fewer read them where they lie.
constexpr int64_t kPixelsForPanels = 3000;

// Each task shifts the planes of a few rows of a sample and computes their output, all in its own cache.
class Strips final : public Direct {
 public:
  explicit Strips(const Convolution& convolution)
      : Direct(convolution), packs_(!takes_panels(c_) && c_.output.shape.pixels() >= kPixelsForPanels) {}
  const char* variant() const override { return variant_name(ConvVariant::Strips); }

  int64_t scratch_floats(int64_t samples) const override {
    return packs_ ? std::min(samples, most_packed()) * packed_floats() : 0;
  }

  void run(const State& state) const override {
    const int64_t group = packs_ ? std::min(state.samples, most_packed()) : state.samples;
    for (int64_t first = 0; first < state.samples; first += group) {
      const int64_t samples = std::min(group, state.samples - first);
      if (packs_) pack_weights(state, first, samples, state.scratch, packed_floats());
      multiply(state, first, samples);
    }
    fill_inactive(state, c_);
  }

 private:
  // Of output rows [y, y + height), whose planes begin with what the first of them reads.
  cpu::ShiftedLayout layout_of(int64_t y, int64_t height) const {
    cpu::PlaneWindow part = c_.window();
    part.out_h = height;
    part.pad_top -= y * part.stride_h;
    return FTWT_KERNEL(shifted_layout)(part, flat_);
  }

  void multiply(const State& state, int64_t first, int64_t samples) const {
    const int64_t height = c_.output.shape.h;
    const int64_t row_planes = c_.input.shape.c * layout_of(0, height).stride / height;
    const int64_t threads = cpu::thread_count();
    const int64_t work = row_floats() * c_.output.shape.c * c_.output.shape.pixels();
    const int64_t tasks = std::clamp(samples * work / kTaskWork, threads, kTasksEach * threads);
    const int64_t shared = samples * height / tasks;
    const int64_t most = std::max<int64_t>(1, std::min(strip_planes() / std::max<int64_t>(1, row_planes), shared));
    const int64_t strips = (height + most - 1) / most;
    cpu::parallel_share(samples * strips, 1, [&](int64_t begin, int64_t end, int) {
      for (int64_t i = begin; i < end; ++i) {
        const int64_t sample = i / strips, strip = i % strips;
        multiply_strip(state, first + sample, packs_ ? state.scratch + sample * packed_floats() : nullptr,
                       height * strip / strips, height * (strip + 1) / strips);
      }
    });
  }

  // Rows [y, end_y) of sample s. `packed`: the computed channels' weights, if they are.
  void multiply_strip(const State& state, int64_t s, const float* packed, int64_t y, int64_t end_y) const {
    const cpu::ChannelList columns = state.active(c_.input, s);
    const cpu::ShiftedLayout layout = layout_of(y, end_y - y);
    float* planes =
        cpu::thread_floats(cpu::Scratch::Columns, static_cast<std::size_t>(columns.count * layout.stride + kSlack));
    const auto shift = FTWT_KERNEL(shift_plane);
    for (int64_t j = 0; j < columns.count; ++j) {
      shift(layout, state.sample(c_.input, s) + columns.index[j] * c_.input.plane, planes + j * layout.stride);
    }
    int32_t taps[cpu::PlaneGemm::kMostPanelTaps];
    FTWT_KERNEL(shifted_offsets)(layout, taps);
    const int64_t width = c_.output.shape.w;
    cpu::RowStrip strip = {};
    strip.weights = weights_.data();
    strip.row_stride = row_floats();
    strip.panels = takes_panels(c_) ? weights_.data() : packed;
    strip.columns = columns;
    strip.taps = c_.taps();
    strip.tap_offset = taps;
    strip.b = planes;
    strip.b_stride = layout.stride;
    strip.b_row = layout.row;
    strip.height = end_y - y;
    strip.width = width;
    if (layout.row == width) {
      strip.width *= strip.height;
      strip.height = 1;
    }
    strip.out = state.sample(c_.output, s) + y * width;
    strip.out_stride = c_.output.plane;
    strip.bias = c_.node->bias.empty() ? nullptr : c_.node->bias.data();
    if (const float* values = residual(state, s)) {
      strip.residual = values + y * width;
      strip.residual_stride = c_.residual->plane;
    }
    strip.activation = c_.node->activation;
    kernel_(strip, state.active(c_.gate, s, c_.output.shape.c));
  }

  bool packs_;
  bool flat_ = lies_flat(c_);
  void (*kernel_)(const cpu::RowStrip&, cpu::ChannelList) = FTWT_KERNEL(row_strip);  // that of the panels
};

}  // namespace

bool fits_strips(const Convolution& c) { return c.taps() <= cpu::PlaneGemm::kMostPanelTaps; }

std::unique_ptr<Step> make_strips(const Convolution& c) { return std::make_unique<Strips>(c); }

}  // namespace ftwt::session
