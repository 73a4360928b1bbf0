#include "session/cpu/direct.h"

#include <algorithm>

#include "cpu/scratch.h"
#include "cpu/thread_pool.h"
#include "session/cpu/direct_step.h"
#include "session/cpu/packed_alone.h"
#include "session/cpu/planewise.h"

namespace ftwt::session {
namespace {

// Vectors of pixels of one task: many enough that the tile's pixels are worth the weights' way, few enough to share
// out.
constexpr int64_t kTaskVectors = 12;
// Where columns are few, long runs of pixels are worth more, as long as threads have tasks.
constexpr int64_t kMostTaskVectors = 96;
constexpr int64_t kShiftedTaskVectors = 24;
// The channels that a task should have.
constexpr int64_t kTaskRows = 32;
// Sums of one task of shifted planes, in floats.
constexpr int64_t kTaskSums = 48 * 1024;

// Tasks (block of channels, sample, block of pixels). Where the weights are large, blocks of channels are outermost, so
// that they are read once for all samples; else blocks of pixels, so that each is read once for all channels.
struct Tasks {
  int64_t rows, samples, pixels;
  bool rows_outermost;
  int64_t count() const { return rows * samples * pixels; }
  struct Task {
    int64_t row, sample, pixel;
  };
  Task at(int64_t i) const {
    if (rows_outermost) return {i / (samples * pixels), i / pixels % samples, i % pixels};
    return {i % rows, i / (rows * pixels), i / rows % pixels};
  }
};

// Images of many pixels are cut into blocks of them, and channels only so far as threads need tasks.
RowBlocks blocks_beside(const State& state, const Convolution& c, int64_t pixel_blocks, int64_t least = 1) {
  const int64_t tasks = pixel_blocks * state.samples;
  const int64_t wanted = (kTasksEach * cpu::thread_count() + tasks - 1) / tasks;
  return {state, c, std::max(least, std::min(wanted, c.output.shape.c / kTaskRows))};
}

class InPlace final : public Direct {
 public:
  explicit InPlace(const Convolution& convolution) : Direct(convolution) {}
  const char* variant() const override { return variant_name(ConvVariant::InPlace); }
  bool pools() const override { return c_.output.pooled >= 0 && pixel_blocks() == 1; }

  int64_t scratch_floats(int64_t samples) const override {
    return packs_panels(pixel_blocks()) ? std::min(samples, most_packed()) * packed_floats() : 0;
  }

  void run(const State& state) const override {
    clear_pooled(state, c_.output, c_.gate);
    const int64_t group = packs_panels(pixel_blocks()) ? std::min(state.samples, most_packed()) : state.samples;
    for (int64_t first = 0; first < state.samples; first += group) {
      multiply(state, first, std::min(group, state.samples - first));
    }
    fill_inactive(state, c_);
  }

 private:
  // Whether all pixels are one task depends on no number of threads.
  int64_t task_vectors() const {
    if (c_.input.shape.c > cpu::PlaneGemm::kFewColumns) return kTaskVectors;
    const int64_t shared = c_.output.shape.pixels() / lanes_ / (kTasksEach * cpu::thread_count());
    return std::clamp(shared, kTaskVectors, kMostTaskVectors);
  }
  int64_t pixel_blocks() const { return std::max<int64_t>(1, c_.output.shape.pixels() / pixels_of(task_vectors())); }

  void multiply(const State& state, int64_t first_sample, int64_t samples) const {
    const int64_t pixels = c_.output.shape.pixels();
    const bool packs = packs_panels(pixel_blocks());
    if (packs) pack_weights(state, first_sample, samples, state.scratch, packed_floats());
    const RowBlocks blocks =
        pixel_blocks() > 1 ? blocks_beside(state, c_, pixel_blocks())
                           : RowBlocks(state, c_, row_floats() * 4, 512, state.samples == 1 ? 1 : RowBlocks::kEach);
    const Tasks tasks = {blocks.count(), samples, pixel_blocks(), pixel_blocks() == 1};
    static const int32_t no_shift = 0;
    cpu::parallel_share(tasks.count(), 1, [&](int64_t begin, int64_t end, int) {
      for (int64_t i = begin; i < end; ++i) {
        const auto [row, sample, block] = tasks.at(i);
        const int64_t s = first_sample + sample;
        const int64_t first = pixels * block / tasks.pixels / 16 * 16;
        const int64_t last = block + 1 == tasks.pixels ? pixels : pixels * (block + 1) / tasks.pixels / 16 * 16;
        cpu::PlaneGemm g = gemm(state.active(c_.input, s));
        g.weights_near = tasks.rows_outermost && sample > 0;
        g.tap_offset = &no_shift;
        g.b = state.sample(c_.input, s) + first;
        g.b_stride = c_.input.plane;
        g.pixels = last - first;
        g.lone_pixels = tasks.pixels == 1 && !c_.joins_samples();
        g.out = state.sample(c_.output, s) + first;
        g.out_stride = c_.output.plane;
        g.residual = residual(state, s);
        if (g.residual != nullptr) {
          g.residual += first;
          g.residual_stride = c_.residual->plane;
        }
        g.activation = c_.node->activation;
        const cpu::ChannelList rows =
            packs ? packed_block(state, blocks, row, s, state.scratch + sample * packed_floats(), g)
                  : blocks.rows(row, s);
        kernel_(g, rows);
        if (tasks.pixels == 1) pool_written(state, c_.output, s, rows);
      }
    });
  }
};

class Shifted final : public Direct {
 public:
  explicit Shifted(const Convolution& convolution)
      : Direct(convolution),
        layout_(FTWT_KERNEL(shifted_layout)(convolution.window(), lies_flat(convolution))),
        taps_(c_.taps()) {
    FTWT_KERNEL(shifted_offsets)(layout_, taps_.data());
  }
  const char* variant() const override { return variant_name(ConvVariant::Shifted); }
  bool pools() const override { return c_.output.pooled >= 0 && pixel_blocks() == 1; }

  int64_t scratch_floats(int64_t samples) const override {
    return group_size(samples, sample_floats()) * sample_floats() + kSlack;
  }

  void run(const State& state) const override {
    clear_pooled(state, c_.output, c_.gate);
    const int64_t group = group_size(state.samples, sample_floats());
    for (int64_t first = 0; first < state.samples; first += group) {
      const int64_t samples = std::min(group, state.samples - first);
      PackedAlone alone(state, c_, pixel_blocks() == 1);
      if (!alone.each()) pack(state, first, samples);
      if (packs_panels(pixel_blocks())) {
        pack_weights(state, first, samples, state.scratch + planes_floats(), sample_floats());
      }
      multiply(state, first, samples, alone);
    }
    fill_inactive(state, c_);
  }

 private:
  int64_t planes_floats() const { return c_.input.shape.c * layout_.stride; }
  // Shifted planes, and behind them packed weights.
  int64_t sample_floats() const { return planes_floats() + (packs_panels(pixel_blocks()) ? packed_floats() : 0); }
  int64_t task_rows() const { return std::max<int64_t>(1, pixels_of(kShiftedTaskVectors) / layout_.row); }
  int64_t pixel_blocks() const { return std::max<int64_t>(1, c_.output.shape.h / task_rows()); }

  // The j-th active channel.
  void pack_channel(const State& state, int64_t s, int64_t j, float* planes) const {
    const float* plane = state.sample(c_.input, s) + state.active(c_.input, s).index[j] * c_.input.plane;
    FTWT_KERNEL(shift_plane)(layout_, plane, planes + j * layout_.stride);
  }

  void pack(const State& state, int64_t first, int64_t samples) const {
    for_each_active(state, c_.input, first, samples, layout_.stride, [&](int64_t s, int64_t j) {
      pack_channel(state, s, j, state.scratch + (s - first) * sample_floats());
    });
  }

  void multiply(const State& state, int64_t first, int64_t samples, PackedAlone& alone) const {
    const auto finish = FTWT_KERNEL(finish_rows);
    const Shape out = c_.output.shape;
    const bool packs = packs_panels(pixel_blocks());
    const int64_t least_blocks = (out.c * task_rows() * layout_.row + kTaskSums - 1) / kTaskSums;
    const RowBlocks blocks = pixel_blocks() > 1 ? blocks_beside(state, c_, pixel_blocks(), least_blocks)
                                                : RowBlocks(state, c_, row_floats() * 4, 64);
    const Tasks tasks = {blocks.count(), samples, pixel_blocks(), pixel_blocks() == 1};
    cpu::parallel_share(tasks.count(), 1, [&](int64_t begin, int64_t end, int thread) {
      for (int64_t i = begin; i < end; ++i) {
        const auto [row, s, block] = tasks.at(i);
        const int64_t y = out.h * block / tasks.pixels;
        const int64_t height = out.h * (block + 1) / tasks.pixels - y;
        const int64_t pixels = (height - 1) * layout_.row + out.w;
        const int64_t stride = spread_stride(pixels);
        const float* planes = state.scratch + s * sample_floats();
        if (alone.each()) {
          planes = alone.copy(thread, planes_floats() + kSlack,
                              [&](int64_t j, float* to) { pack_channel(state, first, j, to); });
        }
        cpu::PlaneGemm g = gemm(state.active(c_.input, first + s));
        g.weights_near = tasks.rows_outermost && s > 0;
        const cpu::ChannelList rows = packs ? packed_block(state, blocks, row, first + s, planes + planes_floats(), g)
                                            : blocks.rows(row, first + s);
        float* sums = cpu::thread_floats(cpu::Scratch::Gemm, static_cast<std::size_t>(rows.count * stride + kSlack));
        g.tap_offset = taps_.data();
        g.b = planes + y * layout_.row;
        g.b_stride = layout_.stride;
        g.packed = true;
        g.pixels = pixels;
        g.lone_pixels = tasks.pixels == 1 && !c_.joins_samples();
        g.out = sums;
        g.out_stride = stride;
        g.compact = true;
        kernel_(g, rows);
        const float* residuals = residual(state, first + s);
        for (int64_t m = 0; m < rows.count; ++m) {
          const int64_t channel = rows.index[m];
          finish(sums + m * stride, layout_.row, height, out.w,
                 residuals != nullptr ? residuals + channel * c_.residual->plane + y * out.w : nullptr,
                 c_.node->activation, state.sample(c_.output, first + s) + channel * c_.output.plane + y * out.w);
        }
        if (tasks.pixels == 1) pool_written(state, c_.output, first + s, rows);
      }
    });
  }

  cpu::ShiftedLayout layout_;
  std::vector<int32_t> taps_;
};

// im2col by a table: few pixels, no columns of no meaning between rows, and samples side by side where they may be.
class Gathered final : public Direct {
 public:
  explicit Gathered(const Convolution& convolution)
      : Direct(convolution), source_(static_cast<std::size_t>(c_.taps() * index_stride()), -1) {
    const std::vector<int32_t> source = window_pixels(convolution.window());
    const int64_t pixels = c_.output.shape.pixels();
    for (int64_t t = 0; t < c_.taps(); ++t) {
      std::copy_n(source.data() + t * pixels, pixels, source_.data() + t * index_stride());
    }
  }
  const char* variant() const override { return variant_name(ConvVariant::Gathered); }
  bool pools() const override { return c_.output.pooled >= 0; }

  int64_t scratch_floats(int64_t samples) const override {
    const int64_t joined = c_.joins_samples() ? samples : 1;
    return samples / joined * c_.input.shape.c * channel_floats(joined) + kSlack;
  }

  void run(const State& state) const override {
    clear_pooled(state, c_.output, c_.gate);
    const int64_t joined = c_.joins_samples() ? state.samples : 1;
    PackedAlone alone(state, c_, true);
    if (!alone.each()) pack(state, joined);
    multiply(state, joined, alone);
    fill_inactive(state, c_);
  }

 private:
  int64_t index_stride() const { return round_up(c_.output.shape.pixels(), 16); }
  int64_t tap_floats(int64_t joined) const { return spread_stride(joined * c_.output.shape.pixels()); }
  int64_t channel_floats(int64_t joined) const { return c_.taps() * tap_floats(joined); }

  // The j-th active channel, to the first of its taps.
  void pack_channel(const State& state, int64_t joined, int64_t s, int64_t j, float* to) const {
    const float* plane = state.sample(c_.input, s) + state.active(c_.input, s).index[j] * c_.input.plane;
    FTWT_KERNEL(gather_windows)
    (plane, c_.input.shape.pixels(), source_.data(), index_stride(), c_.taps(), c_.output.shape.pixels(), to,
     tap_floats(joined));
  }

  void pack(const State& state, int64_t joined) const {
    const int64_t channels = c_.input.shape.c;
    const int64_t pixels = c_.output.shape.pixels();
    for_each_active(state, c_.input, 0, state.samples, c_.taps() * pixels, [&](int64_t s, int64_t j) {
      pack_channel(state, joined, s, j,
                   state.scratch + (s / joined * channels + j) * channel_floats(joined) + s % joined * pixels);
    });
  }

  void multiply(const State& state, int64_t joined, PackedAlone& alone) const {
    const auto finish = FTWT_KERNEL(finish_rows);
    const int64_t pixels = c_.output.shape.pixels();
    const int64_t stride = tap_floats(joined);
    const int64_t bundles = state.samples / joined;
    const RowBlocks blocks(state, c_, row_floats() * 4, 512);
    std::vector<int32_t> offsets(static_cast<std::size_t>(c_.taps()));
    for (int64_t t = 0; t < c_.taps(); ++t) offsets[t] = static_cast<int32_t>(t * stride);
    const Tasks tasks = {blocks.count(), bundles, 1, true};
    cpu::parallel_share(tasks.count(), 1, [&](int64_t begin, int64_t end, int thread) {
      for (int64_t i = begin; i < end; ++i) {
        const auto [row, bundle, _] = tasks.at(i);
        const cpu::ChannelList rows = blocks.rows(row, bundle);
        float* sums = cpu::thread_floats(cpu::Scratch::Gemm, static_cast<std::size_t>(rows.count * stride + kSlack));
        cpu::PlaneGemm g = gemm(state.active(c_.input, bundle));
        g.tap_offset = offsets.data();
        if (g.panels != nullptr) {  // of all channels: taps lie like columns
          g.columns.count *= g.taps;
          g.taps = 1;
        }
        g.b = state.scratch + bundle * c_.input.shape.c * channel_floats(joined);
        if (alone.each()) {
          g.b = alone.copy(thread, c_.input.shape.c * channel_floats(1) + kSlack,
                           [&](int64_t j, float* to) { pack_channel(state, 1, 0, j, to + j * channel_floats(1)); });
        }
        g.b_stride = g.taps == 1 ? stride : channel_floats(joined);
        g.packed = true;
        g.pixels = joined * pixels;
        g.lone_pixels = !c_.joins_samples();
        g.out = sums;
        g.out_stride = stride;
        g.compact = true;
        kernel_(g, rows);
        for (int64_t s = bundle * joined; s < (bundle + 1) * joined; ++s) {
          const float* residuals = residual(state, s);
          for (int64_t m = 0; m < rows.count; ++m) {
            const int64_t channel = rows.index[m];
            finish(sums + m * stride + (s - bundle * joined) * pixels, pixels, 1, pixels,
                   residuals != nullptr ? residuals + channel * c_.residual->plane : nullptr, c_.node->activation,
                   state.sample(c_.output, s) + channel * c_.output.plane);
          }
          pool_written(state, c_.output, s, rows);
        }
      }
    });
  }

  std::vector<int32_t> source_;  // [taps, index_stride()], -1 in the padding
};

}  // namespace

std::unique_ptr<Step> make_in_place(const Convolution& c) { return std::make_unique<InPlace>(c); }
std::unique_ptr<Step> make_shifted(const Convolution& c) { return std::make_unique<Shifted>(c); }
std::unique_ptr<Step> make_gathered(const Convolution& c) { return std::make_unique<Gathered>(c); }

}  // namespace ftwt::session
