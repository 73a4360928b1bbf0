#include "cpu/gemm/gemm.h"
#include "cpu/gemm/rows.h"
#include "cpu/gemm/tile.h"
#include "cpu/isa.h"

namespace ftwt::FTWT_ISA {
namespace {

// Pixels of a block. Their source rows stay in the caches while all panels pass over them.
constexpr int64_t kBlock = 96;
using Source = RowBlock<kBlock>;

// Floats of a panel that are used for all tiles of a block before the next: they have to stay in the second-level
// cache.

constexpr int64_t kPanelPart = 1 << 17;

template <int NV>
FTWT_INLINE void run_tiles(Tile tile, int64_t count) {
  constexpr int kRows = kTileRows[NV];
  const float* const* rows = tile.rows;
  float* const* outputs = tile.outputs;
  for (int64_t p = 0; p < count; p += kRows) {
    tile.rows = rows + p;
    tile.outputs = outputs + p;
    tile.valid = count - p;
    run_tile<kRows, NV>(tile);
  }
}

void run_part(const Tile& tile, int64_t vectors, int64_t count) {
  switch (vectors) {
    case 1: run_tiles<1>(tile, count); break;
    case 2: run_tiles<2>(tile, count); break;
#if defined(FTWT_ISA_avx512)
    case 3: run_tiles<3>(tile, count); break;
    case 4: run_tiles<4>(tile, count); break;
#endif
    default: break;
  }
}

// All tiles of a block with one panel. A long sum is cut into parts: whole taps, or pieces of one tap.
void run_panel(const Source& source, Tile tile, int64_t vectors, int64_t count) {
  const int64_t width = vectors * kLanes;
  const float* const panel = tile.panel;
  const int64_t part_rows = kPanelPart / width;
  const int64_t part_depth = source.depth() < part_rows ? source.depth() : part_rows;
  const int64_t part_taps = part_depth == source.depth() && part_depth > 0 ? part_rows / part_depth : 1;
  int64_t t = 0;
  int64_t k = 0;
  do {
    tile.first_part = t == 0 && k == 0;
    tile.rows = source.rows() + t * Source::kStride;
    tile.first_k = k;
    tile.panel = panel + (t * source.depth() + k) * width;
    tile.taps = source.taps() - t < part_taps ? source.taps() - t : part_taps;
    tile.depth = source.depth() - k < part_depth ? source.depth() - k : part_depth;
    k += tile.depth;
    if (k == source.depth()) {
      k = 0;
      t += tile.taps;
    }
    tile.last_part = t == source.taps();
    run_part(tile, vectors, count);
  } while (!tile.last_part);
}

}  // namespace

size_t gemm_scratch_bytes(const cpu::IndirectGemm& gemm) {
  Carver carver(nullptr);
  Source source(gemm.window, &carver);
  carver.take<float*>(kBlock);
  return carver.used();
}

void gemm_range(const cpu::IndirectGemm& gemm, int64_t pixel_begin, int64_t pixel_end, int64_t panel_begin,
                int64_t panel_end, void* scratch) {
  const cpu::TapWindow& window = gemm.window;
  const cpu::PanelLayout layout = gemm_layout(gemm.columns);
  Carver carver(scratch);
  Source source(window, &carver);
  float** outputs = carver.take<float*>(kBlock);
  source.prepare();

  for (int64_t begin = pixel_begin; begin < pixel_end; begin += kBlock) {
    const int64_t count = smaller(pixel_end - begin, kBlock);
    const PixelCursor cursor = PixelCursor::at(window, begin);
    source.collect(cursor, count, source.source());
    for_each_run(window, cursor, count, [&](int64_t p, const PixelCursor& at, int64_t n) {
      float* const row = pixel_row(gemm.output, at);
      for (int64_t q = 0; q < n; ++q) outputs[p + q] = row + q * gemm.output.pixel_stride;
    });

    for (int64_t panel = panel_begin; panel < panel_end; ++panel) {
      const int64_t vectors = layout.first_vector(panel + 1) - layout.first_vector(panel);
      const int64_t first = layout.first_vector(panel) * kLanes;
      const int64_t left = gemm.columns - first;
      Tile tile = {};
      tile.row_stride = Source::kStride;
      tile.panel = gemm.panels + first * window.taps * window.depth;
      tile.outputs = outputs;
      tile.first_column = first;
      tile.columns = left < vectors * kLanes ? left : vectors * kLanes;
      tile.bias = gemm.bias == nullptr ? nullptr : gemm.bias + first;
      tile.activation = gemm.activation;
      run_panel(source, tile, vectors, count);
    }
  }
}

}  // namespace ftwt::FTWT_ISA
