// Kernels on images kept as planes [c, h * w]: what compiled networks run on. A channel's pixels are contiguous, so a
// channel that is not active costs nothing: its plane is neither written nor read, and no list of channels ever needs a
// gather of activations. Vector lanes are pixels (or Winograd tiles) and weights are broadcast from where they lie; or
// lanes are a tile's points and weights are vectors.
//
// Sums run in one order, input channels outermost and taps innermost, whatever the tiling (but see lone_pixels): an
// output has the same bits in any batch, on any number of threads.
#pragma once
#include <cstddef>
#include <cstdint>

#include "cpu/dispatch.h"
#include "ops/activation.h"

namespace ftwt::cpu {

// Channels in ascending order.
struct ChannelList {
  const int32_t* index;
  int64_t count;
};

// out[r, p] = activation(bias[r] + residual[r, p] + sum over columns j and taps t:
//                        weights[r, j, t] * b[j * b_stride + tap_offset[t] + p])
// for the rows r of a list. `packed`: b has the list's columns one after the other, else all columns of the network.
// Row r of the output lies at out + r * out_stride, or, `compact`, the list's i-th at out + i * out_stride.
struct PlaneGemm {
  // Panels are of windows of at most so many taps; lists of rows start and end at multiples of this.
  static constexpr int64_t kMostPanelTaps = 128;
  static constexpr int64_t kPanelMultiple = 8;
  // Up to so many columns, pixels may be many more than else: they are read from a cache by each panel.
  static constexpr int64_t kFewColumns = 48;
  const float* weights;  // [all rows, all columns, taps]
  int64_t row_stride;
  const float* next_weights;  // of the next product of the same rows, or none
  bool follows;               // these are such
  bool weights_near;          // in the second-level cache already
  // In place of these, panels of panel_rows() rows, each [columns, taps, rows]: of all rows and all columns; or,
  // `listed`, as pack_panels() left them, of the list's.
  const float* panels;
  bool listed;
  ChannelList columns;
  int64_t taps;
  const int32_t* tap_offset;  // [taps]
  const float* b;             // readable up to one tile beyond the last pixel
  int64_t b_stride;
  bool packed;
  int64_t pixels;
  // A few last pixels that have a vector to themselves may be summed in an order of their own (last_pixels.h). Must not
  // depend on the batch. A weight that is not finite makes it NaN, also that of a column that is not listed.
  bool lone_pixels;
  float* out;
  int64_t out_stride;
  bool compact;
  const float* bias;      // [all rows], or none
  const float* residual;  // as the output, or none
  int64_t residual_stride;
  Activation activation;
};

// A window over planes.
struct PlaneWindow {
  int64_t h, w, out_h, out_w;
  int64_t kh, kw, stride_h, stride_w, dilation_h, dilation_w, pad_top, pad_left;

  // 3x3 as most are: neighbouring columns, strides of 1 or 2, little padding.
  bool fits_nine() const {
    const int64_t beyond = (out_w - 1) * stride_w - pad_left + 3 - w;
    return kh == 3 && kw == 3 && dilation_w == 1 && (stride_w == 1 || stride_w == 2) && pad_left <= 2 && beyond <= 2;
  }
};

// A plane in a form in which every tap of a window is a shift: zeros around it, and for strides one smaller plane for
// each residue of row and column. Rows of `row` floats; output pixel (y, x) is number y * row + x, and numbers whose
// x >= out_w are of no meaning. Or, `flat`, a copy for each column of the window, as wide as the output: no numbers are
// without meaning, and rows follow one another, so that vectors of pixels may cross them.
struct ShiftedLayout {
  PlaneWindow window;
  bool flat;
  int64_t row;     // floats
  int64_t rows;    // of each phase
  int64_t phase;   // floats of one phase
  int64_t stride;  // floats of one channel, all phases
};

// What PlaneGemm computes, for `height` rows of an image's output, from shifted planes that begin with what the first
// of them reads. Vectors of pixels never cross a row (flat planes have but one), so sums go straight to the output.
struct RowStrip {
  const float* weights;  // [all rows, all columns, taps]
  int64_t row_stride;
  const float* panels;  // in place of these, or none: of the list's rows and columns, as pack_panels() leaves them
  ChannelList columns;
  int64_t taps;
  const int32_t* tap_offset;  // [taps]
  const float* b;             // [columns, b_stride], readable up to a vector beyond the last pixel
  int64_t b_stride;
  int64_t b_row;  // from one row of the output to the next
  int64_t height, width;
  float* out;  // [all rows, out_stride], of the strip's first row
  int64_t out_stride;
  const float* bias;      // [all rows], or none
  const float* residual;  // as the output, or none
  int64_t residual_stride;
  Activation activation;
};

// 3x3 convolutions of stride 1 as products of transformed tiles (Lavin and Gray 2016): `size` x `size` outputs (2 or 4)
// from tiles of size + 2.
struct WinogradShape {
  int64_t h, w, out_h, out_w, pad_top, pad_left;
  int64_t size;
  int64_t tiles_h() const { return (out_h + size - 1) / size; }
  int64_t tiles_w() const { return (out_w + size - 1) / size; }
  int64_t tiles() const { return tiles_h() * tiles_w(); }
  int64_t side() const { return size + 2; }
  int64_t points() const { return side() * side(); }
};

// Rows of a transformed tile's points.
struct PointRows {
  int64_t begin, end;
  bool has(int64_t row) const { return row >= begin && row < end; }
};

// Sums over channels of a 2x2 Winograd tile's points, whose 16 points lie in line.
struct PointProducts {
  static constexpr int kPoints = 16;
  static constexpr int kTiles = 4;  // of a group
  const float* weights;             // [all rows, row_stride]: of each column kPoints
  int64_t row_stride;
  ChannelList columns;
  const float* tiles;  // [groups, columns.count, kTiles, kPoints], those of listed columns
  int64_t groups;
  float* sums;        // [rows, groups, kTiles, kPoints], those of listed rows
  bool weights_near;  // in the second-level cache already
};

// Channels of a depthwise convolution that are computed together.
struct DepthwiseChannels {
  int64_t count;             // at most vector_lanes()
  const float* planes[16];   // readable up to a vector beyond their last pixel
  const float* weights[16];  // [depthwise_weights(window)]: taps, the bias, zeros
  float* out[16];
};
constexpr int64_t depthwise_weights(const PlaneWindow& w) { return (w.kh * w.kw + 16) / 16 * 16; }
// Of a tap's mask to the next, for depthwise_flat().
constexpr int64_t flat_mask_stride(const PlaneWindow& w) { return (w.h * w.w + 15) / 16 * 16; }

struct WinogradOutput {
  float* out;             // [out_h * out_w]
  const float* residual;  // the same, or none
  float bias;
  Activation activation;
};

// out[r, p] = activation(bias[r] + residual[r, p] + sum over k: weights[r, k] * x[p, k]) for the rows r of a list. Rows
// of weights and x are zeros from `length` to the next multiple of 16.
struct DotRows {
  const float* weights;  // [all rows, row_stride]
  int64_t row_stride;
  int64_t length;
  const float* x;  // [pixels, x_stride]
  int64_t x_stride;
  const float* bias;      // [all rows], or none
  const float* residual;  // [all rows, residual_stride], or none
  int64_t residual_stride;
  Activation activation;
  float* out;  // [all rows, out_stride]
  int64_t out_stride;
  // Weights that are read next, to be brought meanwhile: nothing else makes the hardware begin with them.
  const float *next, *next_end;
};

struct QuadSample {
  const float* x;  // [inputs.count, 4]
  ChannelList inputs;
  float* out;             // [all rows, out_stride]
  const float* residual;  // [all rows, residual_stride], or none
};

// y[s, o] = activation(bias[o] + sum over j: x[s, j] * weights[j, o])
struct DenseRows {
  const float* weights;  // [length, row_stride]
  int64_t row_stride;
  int64_t length;
  const float* x;  // [samples, x_stride]
  int64_t x_stride;
  const float* bias;  // or none
  Activation activation;
  float* y;  // [samples, y_stride]
  int64_t y_stride;
};

// A dense layer [inputs, outputs] whose weights are scale * byte, to within `error`, and all of a column to within
// `norm` (Euclidean).
struct ScreenedWeights {
  static constexpr int kColumns = 64;  // of a block: a cache line holds a byte of each
  static constexpr int kMostByte = 127;
  int64_t inputs;
  const int8_t* bytes;   // [blocks, inputs, kColumns]
  const uint8_t* quads;  // or none; [blocks, inputs / 4, kColumns, 4], 128 more each, zeros behind the last input
  // Each [blocks * kColumns].
  const float* scale;
  const float* bias;
  const float* sums;      // of each column of the weights
  const float* absolute;  // the sums of their absolute values
  const float* error;     // of a weight, at most
  const float* norm;      // of a column's errors
  const float* rounding;  // of a sum of features * weights, for features that sum to 1
};

// Of features less `rest`.
struct FeatureSums {
  float absolute, squares, largest;
  float all;  // the sum of the features' own absolute values
};

// x[j] = feature list[j] less `rest`, which is the feature of all others: step * steps[j], to within half a step. No
// sum of steps * bytes leaves 32 bits.
struct ScreenedFeatures {
  static constexpr float kHalfStep = 0.52f;  // and what the division and the estimate round
  // By list, for bytes, or else split, for quads and AVX512-VNNI: `count` is 0 then, and without a split `high` is
  // none.
  const int16_t* steps;
  const int32_t* list;
  int64_t count;          // an even number: the last may be a step of 0 of any input
  const int16_t* spread;  // the steps at the places of their inputs, zeros elsewhere, to a multiple of 64
  const int8_t* high;     // `spread` is 256 * high + low
  const int8_t* low;
  int32_t sum;  // of the steps
  float step;
  float rest;
  float sum_x;    // of absolute values
  float norm_x;   // Euclidean
  float sum_all;  // of all features' absolute values
};

}  // namespace ftwt::cpu

FTWT_DECLARE_KERNEL(
    int64_t panel_rows();
    // The weights of the list's rows [begin, end) and of its columns, to panels + begin * columns * taps. `begin` is
    // a multiple of panel_rows(), and so is `end` unless it is the list's.
    void pack_panels(const ftwt::cpu::PlaneGemm& gemm, ftwt::cpu::ChannelList rows, int64_t begin, int64_t end,
                     float* panels);
    // Rows of `rows`; uses no memory but its stack.
    void plane_gemm(const ftwt::cpu::PlaneGemm& gemm, ftwt::cpu::ChannelList rows);
    // Rows of `rows`; the same bits as plane_gemm() without lone pixels.
    void row_strip(const ftwt::cpu::RowStrip& strip, ftwt::cpu::ChannelList rows);
    ftwt::cpu::ShiftedLayout shifted_layout(const ftwt::cpu::PlaneWindow& window, bool flat);
    void shifted_offsets(const ftwt::cpu::ShiftedLayout& layout, int32_t* tap_offset);
    void shift_plane(const ftwt::cpu::ShiftedLayout& layout, const float* plane, float* shifted);
    // plane[rows, width] = activation(sums + residual) from rows of `row` floats; residual as the plane, or none.
    void finish_rows(const float* sums, int64_t row, int64_t rows, int64_t width, const float* residual,
                     ftwt::Activation activation, float* plane);
    // to[t * tap_floats + i] = index[i] < 0 ? 0 : plane[index[i]], i < pixels, where `index` is that of tap t: they are
    // `index_stride` apart, a multiple of 16.
    void gather_windows(const float* plane, int64_t plane_pixels, const int32_t* index, int64_t index_stride,
                        int64_t taps, int64_t pixels, float* to, int64_t tap_floats);
    // transformed[point * point_stride + tile] of one plane, readable up to a vector beyond its last pixel, for some
    // rows of the points. Needs winograd_scratch_floats() at `scratch`. `next`: floats from here to the plane after
    // this one, which is asked for meanwhile, or 0. May write up to one vector beyond the last tile of each point.
    std::size_t winograd_scratch_floats(const ftwt::cpu::WinogradShape& shape);
    void winograd_input(const ftwt::cpu::WinogradShape& shape, ftwt::cpu::PointRows points, const float* plane,
                        float* transformed, int64_t point_stride, float* scratch, int64_t next);
    // One plane from products[point * point_stride + tile]. May read up to one vector beyond the last tile.
    void winograd_output(const ftwt::cpu::WinogradShape& shape, const float* products, int64_t point_stride,
                         const ftwt::cpu::WinogradOutput& output);)
FTWT_DECLARE_KERNEL(
    // For tiles of size 2. Points of the tiles of one plane, tile by tile, groups of kTiles `group_stride` floats
    // apart; zeros in the tiles that the last group lacks. Needs point_scratch_floats() at `scratch`.
    std::size_t point_scratch_floats(const ftwt::cpu::WinogradShape& shape);
    void point_tiles(const ftwt::cpu::WinogradShape& shape, const float* plane, float* scratch, float* tiles,
                     int64_t group_stride);
    void point_products(const ftwt::cpu::PointProducts& products, ftwt::cpu::ChannelList rows);
    // plane[2 * tiles_h, 2 * tiles_w] from one row's sums.
    void point_outputs(const ftwt::cpu::WinogradShape& shape, const float* sums, float bias, float* plane);)
FTWT_DECLARE_KERNEL(
    // planes[c * plane + i] = pixels[i * channels + c]
    void split_pixels(const float* pixels, int64_t count, int64_t channels, float* planes, int64_t plane);
    // mask[i] = x[i] > 0
    void positive_channels(const float* x, int64_t count, uint8_t* mask);
    // The i whose mask[i] is 1, of those that are 0 or 1, ascending; returns how many. `list` has room for all.
    int64_t list_channels(const uint8_t* mask, int64_t count, int32_t* list);)
FTWT_DECLARE_KERNEL(
    // y = activation(a + b), b or none; y may be a or b.
    void plane_add(const float* a, const float* b, int64_t count, ftwt::Activation activation, float* y);
    // y = activation(x * scale + shift)
    void plane_scale(const float* x, int64_t count, float scale, float shift, ftwt::Activation activation, float* y);
    // out[channel]: the largest of each listed plane's pixels, NaN where there is one. Planes are `plane` floats apart.
    void plane_maxima(const float* planes, int64_t plane, int64_t pixels, ftwt::cpu::ChannelList list, float* out);
    // The same of their means.
    void plane_means(const float* planes, int64_t plane, int64_t pixels, ftwt::cpu::ChannelList list, float* out);
    // One plane; cells in the padding count for nothing. Needs pool_scratch_floats() at `columns`. The plane is
    // readable up to a vector beyond its last pixel.
    int64_t pool_scratch_floats(const ftwt::cpu::PlaneWindow& window);
    void plane_pool(const ftwt::cpu::PlaneWindow& window, int average, const float* plane, float* columns, float* out);
    // The outputs [begin, end) of `samples`. The sum runs over ascending j.
    void dense_columns(const ftwt::cpu::DenseRows& dense, int64_t samples, int64_t begin, int64_t end);
    // y[o] = bias[o] + rest * sums[o] + sum over j < count: x[j] * weights[list[j] * row_stride + o], o in [begin,
    // end).
    void dense_listed(const float* x, const int32_t* list, int64_t count, const float* weights, int64_t row_stride,
                      const float* bias, float rest, const float* sums, int64_t begin, int64_t end, float* y);)
FTWT_DECLARE_KERNEL(
    // kColumns outputs of each sample: estimates of the layer's, `stride` apart, and bits of those whose signs they may
    // not have. All samples are split, or none. Unless the weights are near, they are asked for ahead.
    void screen_block(const ftwt::cpu::ScreenedWeights& weights, int64_t block,
                      const ftwt::cpu::ScreenedFeatures* features, int64_t samples, int bytes_near, float* estimates,
                      int64_t stride, uint64_t* undecided);
    float dot(const float* a, const float* b, int64_t count);
    ftwt::cpu::FeatureSums sum_features(const float* features, int64_t count, float rest);
    // spread[i] = (features[i] - rest) * per_step to the nearest integer, which 16 bits hold, and zeros to a multiple
    // of 64.
    void count_steps(const float* features, int64_t count, float rest, float per_step, int16_t* spread);
    // Returns the sum of the steps, which are at most 32639 in size.
    int32_t split_steps(const int16_t* steps, int64_t count, int8_t* high, int8_t* low);
    // Sums of the steps times each row's bytes, whose number is a multiple of 64.
    void rest_products(const ftwt::cpu::ScreenedFeatures& features, const int8_t* const* rows, int64_t count,
                       int64_t bytes, int32_t* sums);
    // 1 to 4 pixels.
    void dot_rows(const ftwt::cpu::DotRows& dots, int64_t pixels, ftwt::cpu::ChannelList rows);
    // The same for 3x3 windows, padded by 1, over images of 2x2 pixels, and one row of several samples, which have x,
    // out and residual. Rows of weights are [channels, 9], readable for 7 floats beyond their end.
    void quad_row(const ftwt::cpu::DotRows& dots, int32_t row, const ftwt::cpu::QuadSample* samples, int64_t count);)
FTWT_DECLARE_KERNEL(
    int64_t vector_lanes();
    // Lanes are channels: for strides, and for images of few pixels. Needs depthwise_scratch_floats() at `scratch`.
    int64_t depthwise_scratch_floats(const ftwt::cpu::PlaneWindow& window);
    void depthwise_channels(const ftwt::cpu::PlaneWindow& window, const ftwt::cpu::DepthwiseChannels& channels,
                            ftwt::Activation activation, float* scratch);
    // One plane, lanes are pixels; strides are 1 unless the window fits_nine(). `weights` as above; `in` is readable
    // from pad_left floats before its first to a window and two vectors beyond its last.
    void depthwise_plane(const ftwt::cpu::PlaneWindow& window, const float* in, const float* weights,
                         ftwt::Activation activation, float* out);
    // The same of 3x3 windows around each pixel. inside[tap, pixel]: -1 where the tap lies in the image, else 0. `in`
    // is readable from a row and a pixel before its first to as much, and a vector, beyond its last.
    void depthwise_flat(const ftwt::cpu::PlaneWindow& window, const int32_t* inside, const float* in,
                        const float* weights, ftwt::Activation activation, float* out);)
