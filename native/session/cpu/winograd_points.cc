#include "session/cpu/winograd_points.h"

#include <algorithm>

#include "cpu/scratch.h"
#include "cpu/thread_pool.h"
#include "session/cpu/packed_alone.h"
#include "session/cpu/planewise.h"
#include "session/cpu/winograd.h"

namespace ftwt::session {
namespace {

constexpr int64_t kPoints = cpu::PointProducts::kPoints;
constexpr int64_t kTiles = cpu::PointProducts::kTiles;
constexpr int64_t kGroup = kTiles * kPoints;
constexpr int64_t kMostRows = 512;     // of a block
constexpr int64_t kTileWork = 1 << 9;  // of a plane, in floats, beside what it writes

// The points of a 3x3 window of weights are a line: 64 bytes for 36, but only those of active channels are read. Where
// tiles are whole, 16 products stand for 36.
class WinogradPoints final : public Step {
 public:
  explicit WinogradPoints(const Convolution& convolution) : c_(convolution), shape_(winograd_shape(c_, 2)) {
    transform_weights();
  }
  const char* variant() const override { return variant_name(ConvVariant::WinogradPoints); }
  bool pools() const override { return c_.output.pooled >= 0; }
  uint64_t weight_bytes() const override { return weights_.size() * sizeof(float); }
  int64_t scratch_floats(int64_t samples) const override {
    return group_size(samples, sample_floats()) * sample_floats();
  }

  void run(const State& state) const override {
    clear_pooled(state, c_.output, c_.gate);
    const int64_t group = group_size(state.samples, sample_floats());
    for (int64_t first = 0; first < state.samples; first += group) {
      const int64_t samples = std::min(group, state.samples - first);
      PackedAlone alone(state, c_, true);
      if (!alone.each()) transform(state, first, samples);
      multiply(state, first, samples, alone);
    }
    fill_inactive(state, c_);
  }

 private:
  int64_t groups() const { return (shape_.tiles() + kTiles - 1) / kTiles; }
  int64_t row_floats() const { return weight_stride(c_.input.shape.c * kPoints); }
  int64_t sample_floats() const { return groups() * c_.input.shape.c * kGroup; }

  void transform_weights() {
    const int64_t inputs = c_.input.shape.c, outputs = c_.output.shape.c;
    weights_.resize(static_cast<std::size_t>(outputs * row_floats()));
    for (int64_t o = 0; o < outputs; ++o) {
      for (int64_t i = 0; i < inputs; ++i) {
        float* to = weights_.data() + o * row_floats() + i * kPoints;
        for (int64_t point = 0; point < kPoints; ++point) {  // column by column
          to[point] = winograd_weight(c_, shape_.size, point % 4, point / 4, i, o);
        }
      }
    }
  }

  // The j-th active channel of a sample, to its place among `tiles`.
  void transform_channel(const State& state, int64_t s, int64_t j, float* tiles) const {
    const cpu::ChannelList active = state.active(c_.input, s);
    float* room = cpu::thread_floats(cpu::Scratch::Gather, FTWT_KERNEL(point_scratch_floats)(shape_));
    const float* plane = state.sample(c_.input, s) + active.index[j] * c_.input.plane;
    FTWT_KERNEL(point_tiles)(shape_, plane, room, tiles + j * kGroup, active.count * kGroup);
  }

  void transform(const State& state, int64_t first, int64_t samples) const {
    for_each_active(state, c_.input, first, samples, groups() * kGroup + kTileWork, [&](int64_t s, int64_t j) {
      transform_channel(state, s, j, state.scratch + (s - first) * sample_floats());
    });
  }

  void multiply(const State& state, int64_t first, int64_t samples, PackedAlone& alone) const {
    // Samples that compute the same sums lie group after group.
    const int64_t joined = c_.joins_samples() ? samples : 1;
    const int64_t bundles = samples / joined;
    const int64_t stride = joined * groups() * kGroup;  // of a row's sums
    const RowBlocks blocks(state, c_, row_floats() * static_cast<int64_t>(sizeof(float)), kMostRows);
    cpu::parallel_share(blocks.count() * bundles, 1, [&](int64_t begin, int64_t end, int thread) {
      for (int64_t i = begin; i < end; ++i) {
        const int64_t block = i / bundles, s = first + i % bundles;
        const cpu::ChannelList rows = blocks.rows(block, s);
        if (rows.count == 0) continue;
        const float* tiles = state.scratch + (s - first) * sample_floats();
        if (alone.each()) {
          tiles =
              alone.copy(thread, sample_floats(), [&](int64_t j, float* to) { transform_channel(state, s, j, to); });
        }
        float* sums = cpu::thread_floats(cpu::Scratch::Gemm, static_cast<std::size_t>(rows.count * stride));
        FTWT_KERNEL(point_products)
        ({.weights = weights_.data(),
          .row_stride = row_floats(),
          .columns = state.active(c_.input, s),
          .tiles = tiles,
          .groups = joined * groups(),
          .sums = sums,
          .weights_near = i > begin && s > first},
         rows);
        for (int64_t k = 0; k < joined; ++k) write(state, s + k, rows, sums + k * groups() * kGroup, stride);
      }
    });
  }

  void write(const State& state, int64_t s, cpu::ChannelList channels, const float* sums, int64_t stride) const {
    const auto outputs = FTWT_KERNEL(point_outputs);
    const auto finish = FTWT_KERNEL(finish_rows);
    const int64_t width = 2 * shape_.tiles_w();
    // Where rows have no column too many, all of them are one.
    const bool one_row = width == shape_.out_w;
    const int64_t rows = one_row ? 1 : shape_.out_h, row_pixels = shape_.out_h * shape_.out_w / rows;
    float* plane =
        cpu::thread_floats(cpu::Scratch::Gather, static_cast<std::size_t>(shape_.tiles() * shape_.size * shape_.size));
    for (int64_t m = 0; m < channels.count; ++m) {
      const int64_t channel = channels.index[m];
      outputs(shape_, sums + m * stride, c_.node->bias.empty() ? 0.0f : c_.node->bias[channel], plane);
      finish(plane, width, rows, row_pixels,
             c_.residual ? state.sample(*c_.residual, s) + channel * c_.residual->plane : nullptr, c_.node->activation,
             state.sample(c_.output, s) + channel * c_.output.plane);
    }
    pool_written(state, c_.output, s, channels);
  }

  Convolution c_;
  cpu::WinogradShape shape_;
  cpu::Floats weights_;  // [cOut, row_floats()]: of each input kPoints
};

}  // namespace

std::unique_ptr<Step> make_winograd_points(const Convolution& c) { return std::make_unique<WinogradPoints>(c); }

}  // namespace ftwt::session
