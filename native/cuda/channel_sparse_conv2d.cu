// Every sample is an implicit matrix product of its own: rows are its output pixels, columns its active output
// channels, the depth is taps x active input channels. Lists of active channels are built on the device and never read
// back, so grids are worst cases: a block whose tile of columns lies beyond the sample's active ones ends at once, and
// the loop over the depth ends where the sample's depth does. Work falls with both counts; so does what is read.
//
//   1. active_channels.cu lists the active channels and packs x, so that a row of a tile is read in 16-byte pieces.
//   2. A block computes rows x 64 columns, 16 deep per step, with three stages of shared memory: packed pixels (out-of-
//      image taps are filled with zeros), and filter elements gathered by their two lists, four bytes at a time along
//      the columns, which are neighbours but for the masked channels between. A sample's active columns are spread
//      evenly over as many tiles as it takes, and computed in strips of 16. Where one sample has too few tiles for a
//      device, the depth is cut into splits, whose sums are added up in their order. Where the batch is small, blocks
//      share the splits of a tile, and another launch adds them up. The number of splits is a matter of the shape, so
//      that a sample has the same sums in every batch.
//   3. Results pass through shared memory, and each block writes all channels from its first active one to the next
//      block's, the masked ones as zeros: y is written once, in whole rows, and needs no clearing. Compiled networks
//      add bias, residual and activation here, and may have the active channels alone written, packed as step 1 does
//      it.
//
// The gradient for x is the same product with the roles of the channels swapped: packed dy, the filter transposed once
// ([taps, c_out, c_in]), and the taps mirrored. With a stride, the pixels of one residue class meet the same taps, so
// each class is a launch of its own and no product with an inserted zero is computed.
//
// Launch: n * row tiles * column tiles blocks, times those that share a tile's splits. Tiles of 128 rows (256 threads,
// 4 x 8 sums a thread), 64 or 16 rows (128 threads) for small images; 44, 29 or 18 KiB of shared memory. In TF32 the
// same tiles with m16n8k8 products.
//
// Limits, H200: FMA 67 TFLOP/s. A step of the 64-row tile is 512 FMAs and some 150 other instructions of a thread:
// 19 to 26 TFLOP/s with all channels active (7 x 7 to 56 x 56, batch 32), 15 to 21 with 70 % of them, as tiles are not
// full; TF32 about 40 and 25: bound by what loads the tiles, not by the tensor cores. One sample of 7 x 7 x 512 takes
// 30 us, of 2 x 2 13 us: latency. Launches that start before those ahead end (griddepcontrol) made graphs slower.
//
// Hazards: masked channels are never read, so NaN in them stays there. A filter with infinities meets zeros, in the
// padding as on the host, and where the depth does not fill its last step: sums of infinity may become NaN.
#include "ops/channel_sparse_conv2d.h"

#include <algorithm>
#include <climits>
#include <optional>

#include "cuda/context.h"
#include "cuda/sparse_product.cuh"
#include "cuda/sparse_store.cuh"
#include "cuda/window_axis.h"

namespace ftwt::cuda {
namespace {

constexpr int kStages = 3;
constexpr int kThreadsAtOnce = 512;  // of a multiprocessor: 128 registers each
constexpr int kLargeThreads = 256;   // of tiles of 128 rows
constexpr int kMediumThreads = 128;
constexpr int64_t kBlocksPerMultiprocessor = 2;
constexpr int64_t kFullShare = 16;  // large tiles may add 1 / kFullShare of empty rows
constexpr int64_t kMaxSplits = 16;
constexpr int64_t kMinSplitSteps = 8;
constexpr int64_t kSplitBlocks = 264;  // to have with one sample: a function of the shape alone
constexpr int kTransposeTile = 32;
constexpr int kTransposeRows = 8;

// How the sums of the splits come together: there is one split; a block has all of them, one after the other; or blocks
// share them, and another launch adds them up. The last two give the same bits.
enum class Sums { Whole, Chained, Apart };

// Which part of the work a block has. The blocks beyond the active columns come last: in between, they would leave the
// multiprocessors that get them idle.
struct Place {
  int row_tile, group, column_tile;
  int64_t sample;
  int first_column, columns;  // active ones; none in blocks beyond them

  __device__ Place(const SparseProduct& p, int groups) {
    const int block = static_cast<int>(blockIdx.x), samples = static_cast<int>(p.n);
    row_tile = block % p.row_tiles;
    sample = block / p.row_tiles % samples;
    group = block / p.row_tiles / samples % groups;
    column_tile = block / p.row_tiles / samples / groups;
    // As many tiles as it takes, of about the same width.
    const int count = p.columns.count(sample), tiles = max(1, (count + kTileColumns - 1) / kTileColumns);
    const int width = (count + tiles * kStripColumns - 1) / (tiles * kStripColumns) * kStripColumns;
    first_column = column_tile * width;
    columns = min(width, count - first_column);
  }
};

template <class Tile>
__device__ float* partial_of(const SparseProduct& p, const Place& place, int split) {
  const int64_t tile = (place.sample * p.row_tiles + place.row_tile) * p.column_tiles + place.column_tile;
  return p.partials + (tile * p.splits + split) * Tile::kRows * kTileColumns;
}

// From sums [rows][kStrideSum], which all threads have written, to the target.
template <class Tile>
__device__ void write_tile(const SparseProduct& p, const Place& place, const float* sums) {
  const int first_row = place.row_tile * Tile::kRows, first_column = place.first_column;
  const int count = p.columns.count(place.sample), end = first_column + place.columns;
  __syncthreads();
  if (p.packed) {
    return write_packed<Tile>(p, place.sample, first_row, first_column, end < count ? end : packed_channels(count),
                              sums);
  }
  const int32_t* list = p.columns.list(place.sample);
  const int first = place.column_tile == 0 ? 0 : list[first_column], last = end < count ? list[end] : p.columns.c;
  write_channels<Tile>(p, place.sample, first_row, first_column, first, last, sums);
}

// Without active channels, the first tile still writes the zeros.
__device__ bool has_work(const Place& place) { return place.column_tile == 0 || place.columns > 0; }

template <class Tile, Sums kSums>
__global__ void __launch_bounds__(Tile::kThreads, kThreadsAtOnce / Tile::kThreads)
    channel_sparse_conv2d_kernel(SparseProduct p) {
  constexpr int kFloatsA = Tile::kRows * kStrideA, kStageFloats = kFloatsA + kTileDepth * kStrideB;
  static_assert(Tile::kRows * kStrideSum <= kStages * kStageFloats, "the sums fit where the stages were");
  FTWT_SHARED(float, room, [kStages * kStageFloats]);
  const Place place(p, kSums == Sums::Apart ? p.groups : 1);
  if (!has_work(place)) return;
  const int first_row = place.row_tile * Tile::kRows;
  const int rows = min(Tile::kRows, p.h.rows * p.w.rows - first_row);
  const int channels = packed_channels(p.depth.count(place.sample));
  const int depth = p.columns.count(place.sample) == 0 ? 0 : p.h.taps * p.w.taps * channels;
  const int steps = (depth + kTileDepth - 1) / kTileDepth;
  const int splits = kSums == Sums::Whole ? 1 : p.splits;
  const int splits_of_block = kSums == Sums::Apart ? splits / p.groups : splits;
  const int first_split = place.group * splits_of_block;
  const auto first_step = [&](int split) { return static_cast<int>(static_cast<int64_t>(steps) * split / splits); };
  const int last_step = first_step(first_split + splits_of_block);
  int step = first_step(first_split);
  // Warps beyond the rows or the active columns only load.
  const int strips = Tile::Warp::row() < rows ? Tile::Warp::strips(place.columns) : 0;
  Tile tile, total;
  if (step < last_step) {
    PixelLoader<Tile> pixels(p, place.sample, first_row, channels, step);
    // Blocks that share splits have too few steps to make up for the first ones' waits.
    using Filter = FilterLoader<Tile, kSums != Sums::Apart>;
    FTWT_SHARED(typename Filter::Room, filter_room, );
    Filter filter(p, place.sample, place.first_column, place.columns, channels, step, filter_room);
    int loaded = step, filled = 0, used = 0;  // steps, the stage of the next one, and that of this one
    const auto begin_load = [&] {
      if (loaded < last_step) {
        pixels.load(room + filled * kStageFloats);
        filter.begin(room + filled * kStageFloats + kFloatsA);
      }
      cp_async_commit();
    };
    const auto end_load = [&] {
      if (loaded++ < last_step) {
        filter.finish(room + filled * kStageFloats + kFloatsA);
        filled = filled + 1 == kStages ? 0 : filled + 1;
      }
    };
    for (int i = 0; i < kStages - 1; ++i) {
      __syncthreads();
      begin_load();
      end_load();
    }
    for (int split = first_split; split < first_split + splits_of_block; ++split) {
      for (const int end = first_step(split + 1); step < end; ++step) {
        cp_async_wait<kStages - 2>();
        __syncthreads();
        begin_load();
        const float* stage = room + used * kStageFloats;
        if (strips > 0) tile.add_product(stage, stage + kFloatsA, strips);
        used = used + 1 == kStages ? 0 : used + 1;
        end_load();
      }
      if constexpr (kSums == Sums::Whole) continue;
      if constexpr (kSums == Sums::Apart) {
        tile.template store<kTileColumns>(partial_of<Tile>(p, place, split), rows);
      } else {
        total.add(tile);
      }
      tile = Tile();
    }
    cp_async_wait<0>();
    __syncthreads();
  } else if constexpr (kSums == Sums::Apart) {
    for (int split = first_split; split < first_split + splits_of_block; ++split) {
      tile.template store<kTileColumns>(partial_of<Tile>(p, place, split), rows);
    }
  }
  if constexpr (kSums == Sums::Apart) return;
  (kSums == Sums::Whole ? tile : total).template store<kStrideSum>(room, Tile::kRows);
  write_tile<Tile>(p, place, room);
}

// Adds up the partial sums of a tile, in their order.
template <class Tile>
__global__ void __launch_bounds__(Tile::kThreads) add_partials_kernel(SparseProduct p) {
  FTWT_SHARED(float, room, [Tile::kRows * kStrideSum]);
  const Place place(p, 1);
  if (!has_work(place)) return;
  const int rows = min(Tile::kRows, p.h.rows * p.w.rows - place.row_tile * Tile::kRows);
  constexpr int kQuads = kTileColumns / 4;
  const auto* partials = reinterpret_cast<const float4*>(partial_of<Tile>(p, place, 0));
  for (int i = static_cast<int>(threadIdx.x); i < rows * kQuads; i += Tile::kThreads) {
    float4 sum = make_float4(0, 0, 0, 0);
#pragma unroll 4
    for (int split = 0; split < p.splits; ++split) {
      const float4 part = partials[split * Tile::kRows * kQuads + i];
      sum.x += part.x, sum.y += part.y, sum.z += part.z, sum.w += part.w;
    }
    *reinterpret_cast<float4*>(room + i / kQuads * kStrideSum + i % kQuads * 4) = sum;
  }
  write_tile<Tile>(p, place, room);
}

// y [taps, c_out, c_in] from x [taps, c_in, c_out].
__global__ void __launch_bounds__(kTransposeTile* kTransposeRows)
    transpose_filter_kernel(const float* x, float* y, int c_in, int c_out, int in_tiles, int out_tiles) {
  FTWT_SHARED(float, tile, [kTransposeTile][kTransposeTile + 1]);
  const int lane = static_cast<int>(threadIdx.x), row = static_cast<int>(threadIdx.y);
  const int block = static_cast<int>(blockIdx.x);
  const int first_out = block % out_tiles * kTransposeTile;
  const int first_in = block / out_tiles % in_tiles * kTransposeTile;
  const int64_t tap = block / out_tiles / in_tiles;
  const int64_t offset = tap * c_in * c_out;
  for (int i = row; i < kTransposeTile; i += kTransposeRows) {
    const int in = first_in + i, out = first_out + lane;
    if (in < c_in && out < c_out) tile[i][lane] = x[offset + static_cast<int64_t>(in) * c_out + out];
  }
  __syncthreads();
  for (int i = row; i < kTransposeTile; i += kTransposeRows) {
    const int in = first_in + lane, out = first_out + i;
    if (in < c_in && out < c_out) y[offset + static_cast<int64_t>(out) * c_in + in] = tile[lane][i];
  }
}

void transpose_filter(const float* x, float* y, const Conv2dShape& s) {
  const auto tiles = [](int64_t c) { return static_cast<int>((c + kTransposeTile - 1) / kTransposeTile); };
  const int in_tiles = tiles(s.c_in), out_tiles = tiles(s.c_out);
  launch(transpose_filter_kernel, static_cast<unsigned>(s.kh * s.kw * in_tiles * out_tiles),
         dim3(kTransposeTile, kTransposeRows), 0, current_stream(), x, y, static_cast<int>(s.c_in),
         static_cast<int>(s.c_out), in_tiles, out_tiles);
}

template <class Tile>
void launch_tiles(SparseProduct p) {
  const int64_t rows = static_cast<int64_t>(p.h.rows) * p.w.rows;
  p.row_tiles = static_cast<int>((rows + Tile::kRows - 1) / Tile::kRows);
  p.column_tiles = (p.columns.c + kTileColumns - 1) / kTileColumns;
  const int64_t tiles = p.n * p.row_tiles * p.column_tiles;
  const int64_t wanted = kBlocksPerMultiprocessor * current_limits().multiprocessors;
  p.groups = 1;
  while (p.groups < p.splits && p.groups * tiles <= wanted) p.groups *= 2;
  if (tiles * p.groups > INT_MAX)
    throw Error(ErrorCode::InvalidArgument, "channelSparseConv2d: more tiles than a grid has blocks");
  const auto run = [&](void (*kernel)(SparseProduct), int64_t blocks) {
    launch(kernel, static_cast<unsigned>(blocks), Tile::kThreads, 0, current_stream(), p);
  };
  if (p.groups == 1) {
    return run(p.splits == 1 ? channel_sparse_conv2d_kernel<Tile, Sums::Whole>
                             : channel_sparse_conv2d_kernel<Tile, Sums::Chained>,
               tiles);
  }
  const DeviceBuffer partials(static_cast<std::size_t>(tiles * p.splits * Tile::kRows * kTileColumns) * sizeof(float));
  p.partials = partials.as<float>();
  run(channel_sparse_conv2d_kernel<Tile, Sums::Apart>, tiles * p.groups);
  run(add_partials_kernel<Tile>, tiles);
}

// A power of two, for as many blocks as fill a device with one sample.
int splits_of(const SparseProduct& p) {
  const int64_t rows = static_cast<int64_t>(p.h.rows) * p.w.rows;
  const int64_t tiles = (rows + 63) / 64 * ((p.columns.c + kTileColumns - 1) / kTileColumns);
  const int64_t steps = static_cast<int64_t>(p.h.taps) * p.w.taps * packed_channels(p.depth.c) / kTileDepth;
  const int64_t most = std::min({kMaxSplits, kSplitBlocks / tiles, steps / kMinSplitSteps});
  int splits = 1;
  while (2 * splits <= most) splits *= 2;
  return splits;
}

// Large tiles read the filter half as often as medium ones, but need images that fill them, enough blocks, and no more
// rounds of blocks, as if all channels were active.
bool large_tiles_pay(int64_t rows, int64_t columns, int64_t n) {
  const int64_t large = (rows + 127) / 128, medium = (rows + 63) / 64;
  const bool full = 2 * large * kFullShare <= medium * (kFullShare + 1);
  const int64_t tiles = n * ((columns + kTileColumns - 1) / kTileColumns);
  const auto at_once = [](int threads) { return int64_t{kThreadsAtOnce / threads} * current_limits().multiprocessors; };
  const auto rounds = [](int64_t blocks, int64_t of) { return (blocks + of - 1) / of; };
  return full && tiles * large >= at_once(kLargeThreads) &&
         rounds(tiles * large, at_once(kLargeThreads)) <= rounds(tiles * medium, at_once(kMediumThreads));
}

template <template <int, int> class Tile>
void launch_product(const SparseProduct& p) {
  const int64_t rows = static_cast<int64_t>(p.h.rows) * p.w.rows;
  if (rows <= 16) {
    launch_tiles<Tile<16, kMediumThreads>>(p);
  } else if (large_tiles_pay(rows, p.columns.c, p.n)) {
    launch_tiles<Tile<128, kLargeThreads>>(p);
  } else {
    launch_tiles<Tile<64, kMediumThreads>>(p);
  }
}

template <int kRows, int kThreads>
using RoundingTile = Tf32Tile<kRows, kThreads, false>;
template <int kRows, int kThreads>
using RoundedTile = Tf32Tile<kRows, kThreads, true>;

// filter_rounded: it holds numbers of TF32, where that is the precision.
void run_product(SparseProduct p, bool filter_rounded = false) {
  if (static_cast<int64_t>(p.h.rows) * p.w.rows == 0) return;
  p.splits = splits_of(p);
  if (current_precision() == Precision::Fp32) return launch_product<FmaTile>(p);
  filter_rounded ? launch_product<RoundedTile>(p) : launch_product<RoundingTile>(p);
}

// Pixels of an image and the depth of its product are counted in int.
void check_sizes(const Conv2dShape& s) {
  const int64_t channels = packed_channels(1) + std::max(s.c_in, s.c_out);
  const int64_t largest = std::max({s.h * s.w, s.out_h * s.out_w, s.kh * s.kw}) * channels;
  if (largest > INT_MAX) {
    throw Error(ErrorCode::InvalidArgument,
                "channelSparseConv2d: expected less than 2^31 elements in an image, got " + std::to_string(largest));
  }
}

}  // namespace

void channel_sparse_conv2d(const ChannelSparseConv2dParams& p) {
  const Conv2dShape& s = p.shape;
  if (s.n * s.out_h * s.out_w * s.c_out == 0) return;
  check_sizes(s);
  const ActiveLists active(p.masks, s);
  const DeviceBuffer x(std::max<std::size_t>(1, packed_floats(s.n, s.h * s.w, active.in().c)) * sizeof(float));
  pack_active(p.x, s.n, s.h * s.w, active.in(), x.as<float>());
  run_product({.h = forward_axis(vertical(s)),
               .w = forward_axis(horizontal(s)),
               .depth = active.in(),
               .columns = active.out(),
               .source = x.as<float>(),
               .filter = p.filter,
               .target = p.y,
               .bias = nullptr,
               .residual = nullptr,
               .activation = Activation::Linear,
               .packed = false,
               .filter_w = static_cast<int>(s.kw),
               .n = s.n});
}

void sparse_convolution(const SparseConvolution& p) {
  const Conv2dShape& s = p.shape;
  check_sizes(s);
  const ActiveChannels in(p.x.active);
  const bool as_packed = p.x.packed || (in.shared && s.c_in % kPackedChannels == 0);
  std::optional<DeviceBuffer> packed;
  if (!as_packed) {
    packed.emplace(packed_floats(s.n, s.h * s.w, in.c) * sizeof(float));
    pack_active(p.x.data, s.n, s.h * s.w, in, packed->as<float>());
  }
  run_product({.h = forward_axis(vertical(s)),
               .w = forward_axis(horizontal(s)),
               .depth = in,
               .columns = ActiveChannels(p.y.active),
               .source = packed ? packed->as<float>() : p.x.data,
               .filter = p.filter,
               .target = p.y.data,
               .bias = p.bias,
               .residual = p.residual,
               .activation = p.activation,
               .packed = p.y.packed,
               .filter_w = static_cast<int>(s.kw),
               .n = s.n},
              true);
}

void channel_sparse_conv2d_backprop_input(const ChannelSparseConv2dBackpropInputParams& p) {
  const Conv2dShape& s = p.shape;
  if (s.n * s.h * s.w * s.c_in == 0) return;
  check_sizes(s);
  const ActiveLists active(p.masks, s);
  const int64_t pixels = s.out_h * s.out_w;
  const DeviceBuffer dy(std::max<std::size_t>(1, packed_floats(s.n, pixels, active.out().c)) * sizeof(float));
  const auto filter_floats = static_cast<std::size_t>(s.kh * s.kw * s.c_in * s.c_out);
  const DeviceBuffer filter(std::max<std::size_t>(1, filter_floats) * sizeof(float));
  pack_active(p.dy, s.n, pixels, active.out(), dy.as<float>());
  if (filter_floats > 0) transpose_filter(p.filter, filter.as<float>(), s);
  for (int64_t h = 0; h < std::min(s.stride_h, s.h); ++h) {
    for (int64_t w = 0; w < std::min(s.stride_w, s.w); ++w) {
      run_product({.h = backward_axis(vertical(s), h),
                   .w = backward_axis(horizontal(s), w),
                   .depth = active.out(),
                   .columns = active.in(),
                   .source = dy.as<float>(),
                   .filter = filter.as<float>(),
                   .target = p.dx,
                   .bias = nullptr,
                   .residual = nullptr,
                   .activation = Activation::Linear,
                   .packed = false,
                   .filter_w = static_cast<int>(s.kw),
                   .n = s.n});
    }
  }
}

}  // namespace ftwt::cuda
