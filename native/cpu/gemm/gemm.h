// The micro-kernel layer under every convolution and matrix product: an *indirect* GEMM. Activations are read in place
// through pointers (one per output pixel and filter tap, or to a row of zeros for padding); only the filter is packed.
//
//   output[pixel, c] = activation(bias[c] + sum over taps t and k < depth: source[pixel moved by tap t, k] * filter[t,
//   k, c])
//
// How to use it, from one thread:
//   1. describe the filter in a PackParams (any strides, any list of taps, rows and columns: transposed and
//      channel-sparse filters are packed without a copy before) and pack it once into packed_floats() floats;
//   2. describe the product in an IndirectGemm;
//   3. run_gemm(gemm) splits it over the pool; inside a parallel region call run_gemm_range() on a part instead.
// Packed panels belong to the instruction set in use when they were packed.
#pragma once
#include <cstddef>
#include <cstdint>

#include "cpu/dispatch.h"
#include "ops/activation.h"

namespace ftwt::cpu {

// Columns are padded to whole vectors and cut into panels of at most `max_vectors` vectors, as even as possible.
struct PanelLayout {
  int64_t lanes;
  int64_t vectors;
  int64_t panels;
  int64_t first_vector(int64_t panel) const { return vectors * panel / panels; }
};

// Filter element (t, k, c), t < taps, k < depth, c < columns, is
//   filter[tap(t) * tap_stride + row(k) * row_stride + column(c) * column_stride],
// where tap(t) is tap_list[t], or t without a list; row and column alike.
// Packed: panel by panel, in each panel [taps * depth, panel width], zeros in the padding.
struct PackParams {
  const float* filter;
  int64_t taps, depth, columns;
  int64_t tap_stride, row_stride, column_stride;  // in floats
  const int32_t* tap_list = nullptr;              // [taps]
  const int32_t* row_list = nullptr;              // [depth]
  const int32_t* column_list = nullptr;           // [columns], ascending
};

// Which source rows an output pixel reads.
struct TapWindow {
  // Output pixels: a grid [batch, grid_h, grid_w], numbered with the last index fastest.
  int64_t batch, grid_h, grid_w;

  // Source pixels: [batch, source_h, source_w] rows of `depth` contiguous floats. Tap t of grid pixel (b, i, j) reads
  // source pixel (b, i * step_h + tap_h[t], j * step_w + tap_w[t]); outside the source it reads zeros.
  const float* source;
  int64_t source_h, source_w;
  int64_t source_batch_stride, source_row_stride, source_pixel_stride;  // in floats
  int64_t step_h, step_w;
  int64_t taps;          // 0 is allowed: a sum of nothing
  const int32_t* tap_h;  // [taps]
  const int32_t* tap_w;  // [taps]
  int64_t depth;

  int64_t pixels() const { return batch * grid_h * grid_w; }
};

// Where the row of `columns` contiguous floats of grid pixel (b, i, j) lies:
// data + b * batch_stride + i * row_stride + j * pixel_stride.
template <typename Float>
struct PixelRows {
  Float* data;
  int64_t batch_stride, row_stride, pixel_stride;  // in floats
};

struct IndirectGemm {
  TapWindow window;
  const float* panels;  // from pack_panels(), depth = window.depth, taps = window.taps
  int64_t columns;
  PixelRows<float> output;
  const float* bias = nullptr;  // [columns], or none
  Activation activation = Activation::Linear;
};

// The transposed product, for filter gradients and for A^T B:
//   result[t, k, c] = activation(bias[c] + sum over pixels: source[pixel moved by tap t, k] * dy[pixel, c])
struct OuterGemm {
  TapWindow window;
  PixelRows<const float> dy;
  int64_t columns;
};

struct OuterResult {
  float* data;                  // [taps, depth, columns]
  const float* bias = nullptr;  // [columns], or none
  Activation activation = Activation::Linear;
};

PanelLayout panel_layout(int64_t columns);
std::size_t packed_floats(const PackParams& params);

// Packs on the pool, or in this thread alone (inside a parallel region).
void pack_panels(const PackParams& params, float* packed);
void pack_panels_serial(const PackParams& params, float* packed);

// The whole product on the pool.
void run_gemm(const IndirectGemm& gemm);

// Pixels [pixel_begin, pixel_end) x panels [panel_begin, panel_end) in this thread; uses its Scratch::Gemm.
void run_gemm_range(const IndirectGemm& gemm, int64_t pixel_begin, int64_t pixel_end, int64_t panel_begin,
                    int64_t panel_end);

// The whole transposed product on the pool, or in this thread alone (inside a parallel region).
void run_outer_gemm(const OuterGemm& gemm, const OuterResult& result);
void run_outer_gemm_serial(const OuterGemm& gemm, const OuterResult& result);

}  // namespace ftwt::cpu

FTWT_DECLARE_KERNEL(ftwt::cpu::PanelLayout gemm_layout(int64_t columns);
                    void gemm_pack(const ftwt::cpu::PackParams& params, int64_t panel, float* packed);
                    std::size_t gemm_scratch_bytes(const ftwt::cpu::IndirectGemm& gemm);
                    void gemm_range(const ftwt::cpu::IndirectGemm& gemm, int64_t pixel_begin, int64_t pixel_end,
                                    int64_t panel_begin, int64_t panel_end, void* scratch))
FTWT_DECLARE_KERNEL(ftwt::cpu::PanelLayout outer_layout(int64_t columns);
                    int64_t outer_units(const ftwt::cpu::OuterGemm& gemm);
                    std::size_t outer_scratch_bytes(const ftwt::cpu::OuterGemm& gemm);
                    void outer_range(const ftwt::cpu::OuterGemm& gemm, int64_t pixel_begin, int64_t pixel_end,
                                     int64_t unit_begin, int64_t unit_end, float* partial, void* scratch);
                    void outer_sum(const ftwt::cpu::OuterGemm& gemm, const float* partials, int64_t count,
                                   int64_t row_begin, int64_t row_end, const ftwt::cpu::OuterResult& result))
