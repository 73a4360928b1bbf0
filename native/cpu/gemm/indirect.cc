#include "cpu/gemm/gemm.h"
#include "cpu/gemm/rows.h"
#include "cpu/gemm/tile.h"
#include "cpu/isa.h"

namespace ftwt::FTWT_ISA {
namespace {

template <int NV>
FTWT_INLINE void run_panel(Tile tile, int64_t count) {
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

}  // namespace

size_t gemm_scratch_bytes(const cpu::IndirectGemm& gemm) {
  Carver carver(nullptr);
  RowBlock source(gemm.window, &carver);
  carver.take<float*>(kBlock);
  return carver.used();
}

void gemm_range(const cpu::IndirectGemm& gemm, int64_t pixel_begin, int64_t pixel_end, int64_t panel_begin,
                int64_t panel_end, void* scratch) {
  const cpu::TapWindow& window = gemm.window;
  const cpu::PanelLayout layout = gemm_layout(gemm.columns);
  Carver carver(scratch);
  RowBlock source(window, &carver);
  float** outputs = carver.take<float*>(kBlock);
  source.prepare();

  PixelCursor cursor = PixelCursor::at(window, pixel_begin);
  for (int64_t begin = pixel_begin; begin < pixel_end; begin += kBlock) {
    const int64_t count = pixel_end - begin < kBlock ? pixel_end - begin : kBlock;
    for (int64_t p = 0; p < count; ++p, cursor.advance(window)) {
      source.set(p, cursor);
      outputs[p] = pixel_row(gemm.output, cursor);
    }
    source.finish(count);

    for (int64_t panel = panel_begin; panel < panel_end; ++panel) {
      const int64_t vectors = layout.first_vector(panel + 1) - layout.first_vector(panel);
      const int64_t first = layout.first_vector(panel) * kLanes;
      const int64_t left = gemm.columns - first;
      const Tile tile = {.rows = source.rows(),
                         .row_stride = kBlock,
                         .taps = source.taps(),
                         .depth = source.depth(),
                         .panel = gemm.panels + first * window.taps * window.depth,
                         .outputs = outputs,
                         .valid = 0,
                         .first_column = first,
                         .columns = left < vectors * kLanes ? left : vectors * kLanes,
                         .bias = gemm.bias == nullptr ? nullptr : gemm.bias + first,
                         .activation = gemm.activation};
      switch (vectors) {
        case 1: run_panel<1>(tile, count); break;
        case 2: run_panel<2>(tile, count); break;
#if defined(FTWT_ISA_avx512)
        case 3: run_panel<3>(tile, count); break;
        case 4: run_panel<4>(tile, count); break;
#endif
        default: break;
      }
    }
  }
}

}  // namespace ftwt::FTWT_ISA
