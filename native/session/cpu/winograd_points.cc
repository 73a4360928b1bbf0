#include "session/cpu/winograd_points.h"

#include <algorithm>

#include "cpu/scratch.h"
#include "cpu/thread_pool.h"
#include "session/cpu/packed_alone.h"
#include "session/cpu/planewise.h"

namespace ftwt::session {
namespace {

constexpr int64_t kPoints = cpu::PointProducts::kPoints;
constexpr int64_t kTiles = cpu::PointProducts::kTiles;
constexpr int64_t kGroup = kTiles * kPoints;
constexpr int64_t kMostRows = 512;     // of a block
constexpr int64_t kTileWork = 1 << 9;  // of a plane, in floats, beside what it writes

// Each weight is a vector in a line of its own: a sample reads the lines of its own channels only. With few pixels that
// are fewer bytes, and with 2x2 outputs fewer than half of the products.
class WinogradPoints final : public Step {
 public:
  explicit WinogradPoints(const Convolution& convolution)
      : c_(convolution), shape_{c_.input.shape.h,
                                c_.input.shape.w,
                                c_.output.shape.h,
                                c_.output.shape.w,
                                c_.node->pad_top,
                                c_.node->pad_left,
                                2} {
    transform_weights();
  }
  const char* variant() const override { return variant_name(ConvVariant::WinogradPoints); }
  bool pools() const override { return c_.output.pooled >= 0; }
  uint64_t weight_bytes() const override { return weights_.size() * sizeof(float); }
  int64_t scratch_floats(int64_t samples) const override {
    const int64_t most = std::max<int64_t>(1, kMostFloats / sample_floats());
    return std::min(samples, most) * sample_floats();
  }

  void run(const State& state) const override {
    clear_pooled(state, c_.output, c_.gate);
    const int64_t together = std::min(state.samples, std::max<int64_t>(1, kMostFloats / sample_floats()));
    for (int64_t first = 0; first < state.samples; first += together) {
      const int64_t samples = std::min(together, state.samples - first);
      PackedAlone alone(state, c_, true);
      if (!alone.each()) transform(state, first, samples);
      multiply(state, first, samples, alone);
    }
    fill_inactive(state, c_);
  }

 private:
  static constexpr int64_t kMostFloats = 1 << 20;  // of transformed tiles of the samples that run together

  int64_t groups() const { return (shape_.tiles() + kTiles - 1) / kTiles; }
  int64_t row_floats() const { return weight_stride(c_.input.shape.c * kPoints); }
  int64_t sample_floats() const { return groups() * c_.input.shape.c * kGroup; }

  void transform_weights() {
    static const double g[4][3] = {{1, 0, 0}, {0.5, 0.5, 0.5}, {0.5, -0.5, 0.5}, {0, 0, 1}};
    const int64_t inputs = c_.input.shape.c, outputs = c_.output.shape.c;
    weights_.resize(static_cast<std::size_t>(outputs * row_floats()));
    for (int64_t o = 0; o < outputs; ++o) {
      for (int64_t i = 0; i < inputs; ++i) {
        float* to = weights_.data() + o * row_floats() + i * kPoints;
        for (int64_t point = 0; point < kPoints; ++point) {  // column by column
          double sum = 0;
          for (int64_t y = 0; y < 3; ++y) {
            for (int64_t x = 0; x < 3; ++x) {
              sum += g[point % 4][y] * g[point / 4][x] * c_.node->weights[((y * 3 + x) * inputs + i) * outputs + o];
            }
          }
          to[point] = static_cast<float>(sum);
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
    const int64_t channels = c_.input.shape.c;
    const int64_t work = groups() * kGroup + kTileWork;
    cpu::parallel_share(samples * channels, kPlaneGrain / work + 1, [&](int64_t begin, int64_t end, int) {
      for (int64_t i = begin; i < end; ++i) {
        const int64_t s = i / channels, j = i % channels;
        if (j >= state.active(c_.input, first + s).count) continue;
        transform_channel(state, first + s, j, state.scratch + s * sample_floats());
      }
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
        const float* tiles = state.scratch + (s - first) * sample_floats();
        if (alone.each()) {
          tiles = alone.copy(thread, sample_floats(), [&](float* to) {
            const int64_t count = state.active(c_.input, s).count;
            for (int64_t j = 0; j < count; ++j) transform_channel(state, s, j, to);
          });
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

  void write(const State& state, int64_t s, cpu::ChannelList rows, const float* sums, int64_t stride) const {
    const auto outputs = FTWT_KERNEL(point_outputs);
    const auto finish = FTWT_KERNEL(finish_rows);
    const int64_t width = 2 * shape_.tiles_w();
    // Where rows have no column too many, all of them are one.
    const bool one_row = width == shape_.out_w;
    const int64_t height = one_row ? 1 : shape_.out_h, out_w = shape_.out_h * shape_.out_w / height;
    float* plane = cpu::thread_floats(cpu::Scratch::Gather, static_cast<std::size_t>(kTiles * groups() * 4 + width));
    for (int64_t m = 0; m < rows.count; ++m) {
      const int64_t channel = rows.index[m];
      outputs(shape_, sums + m * stride, c_.node->bias.empty() ? 0.0f : c_.node->bias[channel], plane);
      finish(plane, width, height, out_w,
             c_.residual ? state.sample(*c_.residual, s) + channel * c_.residual->plane : nullptr, c_.node->activation,
             state.sample(c_.output, s) + channel * c_.output.plane);
    }
    pool_written(state, c_.output, s, rows);
  }

  Convolution c_;
  cpu::WinogradShape shape_;
  cpu::Floats weights_;  // [cOut, row_floats()]: of each input kPoints
};

}  // namespace

std::unique_ptr<Step> make_winograd_points(const Convolution& c) { return std::make_unique<WinogradPoints>(c); }

}  // namespace ftwt::session
