#include "session/cpu/winograd.h"

#include <algorithm>

#include "cpu/cache.h"
#include "cpu/scratch.h"
#include "cpu/thread_pool.h"
#include "session/cpu/planewise.h"

namespace ftwt::session {
namespace {

// Products of one task, in floats: they and a block of transformed tiles stay in the second-level cache.
int64_t task_products() { return cpu::half_second_level_bytes() / static_cast<int64_t>(sizeof(float)); }
// Vectors of tiles of one task.
constexpr int64_t kTaskVectors = 5;
// Weights, in floats, that may be read again for every block of tiles, so that transformed tiles are read once; and for
// every sample, where each thread has samples of its own.
constexpr int64_t kSmallWeights = 256 * 1024;
constexpr int64_t kWeightsOfSample = 1024 * 1024;
// Of a strip: transformed tiles and products of a block of channels, in floats.
constexpr int64_t kStripFloats = 192 * 1024;
constexpr int64_t kStripProducts = 192 * 1024;
// A whole sample in one strip is worth a little more: 49 tiles are 3 vectors and 1, in two strips 4.
constexpr int64_t kSampleFloats = 224 * 1024;
// Tiles of one sample from which samples are not joined.
constexpr int64_t kManyTiles = 48;
// Floats that transforms may touch beyond the last tile: the widest vector.
constexpr int64_t kSlack = 64;

// The rows of G: weights [3] -> points.
const double kG2[4][3] = {{1, 0, 0}, {0.5, 0.5, 0.5}, {0.5, -0.5, 0.5}, {0, 0, 1}};
const double kG4[6][3] = {{1.0 / 4, 0, 0},
                          {-1.0 / 6, -1.0 / 6, -1.0 / 6},
                          {-1.0 / 6, 1.0 / 6, -1.0 / 6},
                          {1.0 / 24, 1.0 / 12, 1.0 / 6},
                          {1.0 / 24, -1.0 / 12, 1.0 / 6},
                          {0, 0, 1}};

class Winograd final : public Step {
 public:
  Winograd(const Convolution& convolution, int64_t size)
      : c_(convolution),
        shape_(winograd_shape(c_, size)),
        joins_(c_.joins_samples() && shape_.tiles() < kManyTiles),
        copies_(!joins_ && spread_stride(shape_.tiles()) < spread_stride(shape_.tiles() + 16)) {
    transform_weights();
    if (!in_strips(1)) parts_ = parts_of(shape_, lanes_);
  }

  const char* variant() const override {
    return variant_name(shape_.size == 4 ? ConvVariant::Winograd4 : ConvVariant::Winograd2);
  }
  uint64_t weight_bytes() const override { return weights_.size() * sizeof(float); }

  int64_t scratch_floats(int64_t samples) const override {
    const int64_t group = group_size(samples, bundle_floats(1));
    const int64_t alone = bundle_floats(1) + (parts_ > 1 ? products_floats() : 0);
    return std::max(alone, joins_ ? bundle_floats(group) : group * bundle_floats(1));
  }

  void run(const State& state) const override {
    if (in_strips(state.samples)) {
      run_strips(state);
    } else if (splits_points(state.samples)) {
      run_points(state);
    } else {
      run_groups(state);
    }
    fill_inactive(state, c_);
  }

 private:
  // Transformed tiles, and where they are multiplied.
  struct Tiles {
    const float* data;  // [points, channels, stride]
    int64_t point_stride, stride;
    int64_t count;
    int64_t first_sample, samples;  // side by side
    int64_t row, end_row;           // of tiles
  };

  bool in_strips(int64_t samples) const {
    const int64_t most = samples >= cpu::thread_count() ? kWeightsOfSample : kSmallWeights;
    return shape_.tiles() >= kManyTiles && static_cast<int64_t>(weights_.size()) <= most;
  }

  // Never in strips, whatever the batch.
  bool multiplies_whole_samples() const {
    return !c_.joins_samples() && static_cast<int64_t>(weights_.size()) > kWeightsOfSample;
  }

  // So many parts, or 1; whatever number of threads runs them.
  static int64_t parts_of(const cpu::WinogradShape& shape, int64_t lanes) {
    const int64_t threads = cpu::thread_count();
    return shape.side() % threads == 0 && shape.tiles() <= kTaskVectors * lanes ? threads : 1;
  }
  // Where threads share the work on one sample.
  bool splits_points(int64_t samples) const { return samples == 1 && parts_ > 1 && cpu::thread_count() > 1; }

  // Each task transforms a few rows of each tile's points and multiplies them, all in its own cache; threads that share
  // out channels instead wait for each other's transformed tiles. Only products go from one thread to another.
  void run_points(const State& state) const {
    const auto transform_room = static_cast<std::size_t>(room_floats());
    const cpu::ChannelList columns = state.active(c_.input, 0);
    const cpu::ChannelList rows = state.active(c_.gate, 0, c_.output.shape.c);
    const int64_t side = shape_.side(), stride = tile_stride(1), stride_of_points = point_stride(columns.count, 1);
    const int64_t row_products = shape_.points() * product_stride(shape_.tiles());
    float* products = state.scratch + bundle_floats(1);
    const Tiles tiles = {state.scratch, stride_of_points, stride, shape_.tiles(), 0, 1, 0, shape_.tiles_h()};
    cpu::parallel_share(parts_, 1, [&](int64_t begin, int64_t end, int) {
      const cpu::PointRows points = {side * begin / parts_, side * end / parts_};
      float* room = cpu::thread_floats(cpu::Scratch::Gather, transform_room);
      for (int64_t j = 0; j < columns.count; ++j) {
        transform_plane(state.sample(c_.input, 0) + columns.index[j] * c_.input.plane, points,
                        state.scratch + j * stride, stride_of_points, room);
      }
      multiply_points(tiles, columns, rows, false, points, products);
    });
    cpu::parallel_share(rows.count, kPlaneGrain / row_products + 1, [&](int64_t begin, int64_t end, int) {
      write(state, 0, {rows.index + begin, end - begin}, products + begin * row_products,
            product_stride(shape_.tiles()), 0, shape_.tiles_h());
    });
  }

  // Each task transforms a few rows of tiles, multiplies them and transforms them back, all in its own cache.
  void run_strips(const State& state) const {
    const int64_t rows = shape_.tiles_h();
    const int64_t row_floats = shape_.points() * c_.input.shape.c * shape_.tiles_w();
    const int64_t tasks = state.samples * rows;
    const int64_t most =
        std::clamp<int64_t>(kStripFloats / row_floats, 1, std::max<int64_t>(1, tasks / cpu::thread_count()));
    int64_t strips =
        rows * row_floats <= kSampleFloats && state.samples >= cpu::thread_count() ? 1 : (rows + most - 1) / most;
    // A few large parts must be equal.
    if (state.samples == 1) strips = std::min(rows, round_up(strips, cpu::thread_count()));
    cpu::parallel_share(state.samples * strips, 1, [&](int64_t begin, int64_t end, int) {
      for (int64_t i = begin; i < end; ++i) {
        const int64_t strip = i % strips;
        run_strip(state, i / strips, rows * strip / strips, rows * (strip + 1) / strips);
      }
    });
  }

  void run_strip(const State& state, int64_t s, int64_t row, int64_t end_row) const {
    const cpu::ChannelList columns = state.active(c_.input, s);
    const cpu::ChannelList rows = state.active(c_.gate, s, c_.output.shape.c);
    cpu::WinogradShape part = shape_;
    part.out_h = (end_row - row) * shape_.size;
    part.pad_top -= row * shape_.size;
    const int64_t count = part.tiles();
    const int64_t stride = round_up(count - part.tiles_w() + round_up(part.tiles_w(), 16), 16);
    const int64_t points = shape_.points();
    const int64_t point_stride = spread_stride(columns.count * stride);
    float* transformed =
        cpu::thread_floats(cpu::Scratch::Columns, static_cast<std::size_t>(points * point_stride + kSlack));
    float* room = cpu::thread_floats(cpu::Scratch::Gather, FTWT_KERNEL(winograd_scratch_floats)(part));
    const auto input = FTWT_KERNEL(winograd_input);
    for (int64_t j = 0; j < columns.count; ++j) {
      const float* plane = state.sample(c_.input, s) + columns.index[j] * c_.input.plane;
      const int64_t next = j + 1 < columns.count ? (columns.index[j + 1] - columns.index[j]) * c_.input.plane : 0;
      input(part, {0, part.side()}, plane, transformed + j * stride, point_stride, room, next);
    }
    const Tiles tiles = {transformed, point_stride, stride, count, s, 1, row, end_row};
    const int64_t most = std::max<int64_t>(8, kStripProducts / (points * stride) / 8 * 8);
    for (int64_t first = 0; first < rows.count; first += most) {
      multiply_block(state, tiles, columns, {rows.index + first, std::min(most, rows.count - first)},
                     state.samples > 1);
    }
  }

  void run_groups(const State& state) const {
    const int64_t group = group_size(state.samples, bundle_floats(1));
    for (int64_t first = 0; first < state.samples; first += group) {
      const int64_t samples = std::min(group, state.samples - first);
      transform(state, first, samples);
      multiply(state, first, samples);
    }
  }

  // A bundle is what is multiplied at once: one sample's tiles, or those of all samples side by side.
  int64_t tile_stride(int64_t joined) const { return spread_stride(joined * shape_.tiles() + (copies_ ? 0 : 16)); }
  // From one point of all channels' tiles to the next: a tile is written to all points at once.
  int64_t point_stride(int64_t channels, int64_t joined) const { return spread_stride(channels * tile_stride(joined)); }
  // From one point of a product, or of a copy, to the next.
  static int64_t product_stride(int64_t tiles) { return round_up(tiles + 16, 16); }
  // Of one sample.
  int64_t products_floats() const {
    return c_.output.shape.c * shape_.points() * product_stride(shape_.tiles()) + kSlack;
  }
  int64_t bundle_floats(int64_t joined) const {
    return shape_.points() * point_stride(c_.input.shape.c, joined) + kSlack;
  }

  // Without panels: of an output channel's weights.
  int64_t row_floats() const { return takes_panels(c_) ? c_.input.shape.c : weight_stride(c_.input.shape.c); }

  void transform_weights() {
    const int64_t rows = panel_rows(c_);
    const int64_t inputs = c_.input.shape.c, outputs = c_.output.shape.c, points = shape_.size + 2;
    weights_.resize(static_cast<std::size_t>(points * points * outputs * row_floats()));
    for (int64_t o = 0; o < outputs; ++o) {
      for (int64_t i = 0; i < inputs; ++i) {
        for (int64_t a = 0; a < points; ++a) {
          for (int64_t b = 0; b < points; ++b) {
            const int64_t panel = (a * points + b) * outputs / rows + o / rows;
            weights_[(panel * row_floats() + i) * rows + o % rows] = winograd_weight(c_, shape_.size, a, b, i, o);
          }
        }
      }
    }
  }

  // What transform_plane() needs.
  int64_t room_floats() const {
    return static_cast<int64_t>(FTWT_KERNEL(winograd_scratch_floats)(shape_)) +
           (copies_ ? shape_.points() * product_stride(shape_.tiles()) : 0);
  }

  void transform_plane(const float* plane, cpu::PointRows points, float* to, int64_t stride, float* room) const {
    const auto input = FTWT_KERNEL(winograd_input);
    if (!copies_) return input(shape_, points, plane, to, stride, room, 0);
    const int64_t copy_stride = product_stride(shape_.tiles());
    float* copy = room + room_floats() - shape_.points() * copy_stride;
    input(shape_, points, plane, copy, copy_stride, room, 0);
    for (int64_t point = points.begin * shape_.side(); point < points.end * shape_.side(); ++point) {
      std::copy_n(copy + point * copy_stride, shape_.tiles(), to + point * stride);
    }
  }

  void transform(const State& state, int64_t first, int64_t samples) const {
    const auto room_needed = static_cast<std::size_t>(room_floats());
    const int64_t channels = c_.input.shape.c;
    const int64_t joined = joins_ ? samples : 1;
    const int64_t stride = tile_stride(joined);
    const int64_t bundles = samples / joined;
    // A plane's tiles may be followed by garbage, where the next sample's come: one thread writes both, in order.
    cpu::parallel_share(
        bundles * channels, 4096 / (stride * shape_.points()) + 1, [&](int64_t begin, int64_t end, int) {
          float* room = cpu::thread_floats(cpu::Scratch::Gather, room_needed);
          for (int64_t i = begin; i < end; ++i) {
            const int64_t bundle = i / channels, j = i % channels;
            const cpu::ChannelList active = state.active(c_.input, first + bundle);
            if (j >= active.count) continue;
            for (int64_t s = 0; s < joined; ++s) {
              transform_plane(state.sample(c_.input, first + bundle + s) + active.index[j] * c_.input.plane,
                              {0, shape_.side()},
                              state.scratch + bundle * bundle_floats(1) + j * stride + s * shape_.tiles(),
                              point_stride(active.count, joined), room);
            }
          }
        });
  }

  void multiply(const State& state, int64_t first, int64_t samples) const {
    const int64_t joined = joins_ ? samples : 1;
    const int64_t tiles = joined * shape_.tiles();
    const int64_t points = shape_.points();
    const int64_t inputs = c_.input.shape.c;
    // Blocks of whole rows of tiles, unless samples are joined.
    const int64_t task_tiles = kTaskVectors * lanes_;
    const int64_t rows_of_tiles = shape_.tiles_h();
    const int64_t tile_blocks =
        joins_ ? 1 : std::clamp<int64_t>((tiles + task_tiles - 1) / task_tiles, 1, rows_of_tiles);
    const int64_t block_tiles = joins_ ? tiles : (rows_of_tiles + tile_blocks - 1) / tile_blocks * shape_.tiles_w();
    const int64_t stride = tile_stride(joined);
    // One bundle reads each weight once; several share the weights of a block in the second-level cache.
    const int64_t bundles = samples / joined;
    const RowBlocks blocks(state, c_, bundles == 1 ? 0 : points * inputs,
                           std::max<int64_t>(8, task_products() / (points * product_stride(block_tiles))),
                           bundles == 1 ? 1 : RowBlocks::kEach);
    const int64_t tasks = bundles * tile_blocks;
    const bool tiles_outermost =
        tasks >= 2 * cpu::thread_count() && static_cast<int64_t>(weights_.size()) <= kSmallWeights;
    cpu::parallel_share(blocks.count() * tasks, 1, [&](int64_t begin, int64_t end, int) {
      for (int64_t i = begin; i < end; ++i) {
        const int64_t row = tiles_outermost ? i % blocks.count() : i / tasks;
        const int64_t task = tiles_outermost ? i / blocks.count() : i % tasks;
        const int64_t bundle = task / tile_blocks;
        const int64_t block = task % tile_blocks;
        const cpu::ChannelList rows = blocks.rows(row, first + bundle);
        if (rows.count == 0) continue;
        const cpu::ChannelList columns = state.active(c_.input, first + bundle);
        const int64_t tile_y = rows_of_tiles * block / tile_blocks;
        const int64_t tile_y_end = rows_of_tiles * (block + 1) / tile_blocks;
        const float* transformed = state.scratch + bundle * bundle_floats(1) + tile_y * shape_.tiles_w();
        const int64_t count = joins_ ? tiles : (tile_y_end - tile_y) * shape_.tiles_w();
        multiply_block(state,
                       {transformed, point_stride(columns.count, joined), stride, count, first + bundle, joined, tile_y,
                        tile_y_end},
                       columns, rows, !tiles_outermost && task > 0);
      }
    });
  }

  void multiply_block(const State& state, const Tiles& tiles, cpu::ChannelList columns, cpu::ChannelList rows,
                      bool weights_near) const {
    const int64_t stride = product_stride(tiles.count);
    float* products = cpu::thread_floats(cpu::Scratch::Gemm,
                                         static_cast<std::size_t>(rows.count * shape_.points() * stride + kSlack));
    multiply_points(tiles, columns, rows, weights_near, {0, shape_.side()}, products);
    for (int64_t s = 0; s < tiles.samples; ++s) {
      write(state, tiles.first_sample + s, rows, products + s * shape_.tiles(), stride, tiles.row, tiles.end_row);
    }
  }

  // products[row, point, tile]: of some points.
  void multiply_points(const Tiles& tiles, cpu::ChannelList columns, cpu::ChannelList rows, bool weights_near,
                       cpu::PointRows points, float* products) const {
    static const int32_t no_shift = 0;
    const int64_t stride = product_stride(tiles.count);
    cpu::PlaneGemm g = {};
    g.row_stride = row_floats();
    g.columns = columns;
    g.taps = 1;
    g.tap_offset = &no_shift;
    g.b_stride = tiles.stride;
    g.packed = true;
    g.pixels = tiles.count;
    g.lone_pixels = tiles.count == shape_.tiles() && multiplies_whole_samples();
    g.out_stride = shape_.points() * stride;
    g.compact = true;
    const int64_t first = points.begin * shape_.side(), end = points.end * shape_.side();
    for (int64_t point = first; point < end; ++point) {
      const int64_t point_floats = c_.output.shape.c * row_floats();
      (takes_panels(c_) ? g.panels : g.weights) = weights_.data() + point * point_floats;
      g.next_weights = point + 1 < end ? weights_.data() + (point + 1) * point_floats : nullptr;
      g.follows = point > first;
      g.weights_near = weights_near;
      g.b = tiles.data + point * tiles.point_stride;
      g.out = products + point * stride;
      kernel_(g, rows);
    }
  }

  // Rows of tiles [tile_y, tile_y_end) of a sample's planes.
  void write(const State& state, int64_t s, cpu::ChannelList rows, const float* products, int64_t stride,
             int64_t tile_y, int64_t tile_y_end) const {
    const auto output = FTWT_KERNEL(winograd_output);
    cpu::WinogradShape part = shape_;
    const int64_t y = tile_y * shape_.size;
    part.out_h = std::min(shape_.out_h, tile_y_end * shape_.size) - y;
    for (int64_t m = 0; m < rows.count; ++m) {
      const int64_t channel = rows.index[m];
      const float* residual =
          c_.residual ? state.sample(*c_.residual, s) + channel * c_.residual->plane + y * shape_.out_w : nullptr;
      output(part, products + m * shape_.points() * stride, stride,
             {.out = state.sample(c_.output, s) + channel * c_.output.plane + y * shape_.out_w,
              .residual = residual,
              .bias = c_.node->bias.empty() ? 0.0f : c_.node->bias[channel],
              .activation = c_.node->activation});
    }
  }

  Convolution c_;
  cpu::WinogradShape shape_;
  bool joins_;
  bool copies_;  // transformed tiles, of which a channel has few, to where no room is between channels
  // Those of the panels, whatever other steps change to.
  PlaneGemmKernel kernel_ = FTWT_KERNEL(plane_gemm);
  int64_t lanes_ = FTWT_KERNEL(vector_lanes)();
  int64_t parts_ = 1;    // of one sample's points
  cpu::Floats weights_;  // [points, cOut, row_floats], or of each point panels
};

}  // namespace

std::unique_ptr<Step> make_winograd(const Convolution& convolution, int64_t size) {
  return std::make_unique<Winograd>(convolution, size);
}

cpu::WinogradShape winograd_shape(const Convolution& c, int64_t size) {
  return {
      c.input.shape.h, c.input.shape.w, c.output.shape.h, c.output.shape.w, c.node->pad_top, c.node->pad_left, size};
}

float winograd_weight(const Convolution& c, int64_t size, int64_t row, int64_t column, int64_t i, int64_t o) {
  const double* g_row = size == 4 ? kG4[row] : kG2[row];
  const double* g_column = size == 4 ? kG4[column] : kG2[column];
  double sum = 0;
  for (int64_t y = 0; y < 3; ++y) {
    for (int64_t x = 0; x < 3; ++x) {
      sum += g_row[y] * g_column[x] * c.node->weights[((y * 3 + x) * c.input.shape.c + i) * c.output.shape.c + o];
    }
  }
  return static_cast<float>(sum);
}

}  // namespace ftwt::session
