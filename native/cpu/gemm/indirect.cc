#include "cpu/gemm/gemm.h"
#include "cpu/gemm/rows.h"
#include "cpu/gemm/tile.h"
#include "cpu/isa.h"

namespace ftwt::FTWT_ISA {
namespace {

// Pixels whose pointers are collected at once: a multiple of every tile height, and few enough that their source rows
// stay in the second-level cache while all panels pass over them.
constexpr int64_t kBlock = 192;

// With fewer channels than this the rows of all taps are copied together (im2col): a tap would be over before its
// pointers are loaded.
constexpr int64_t kSmallDepth = 8;

bool copies_rows(const cpu::TapWindow& window) { return window.taps > 1 && window.depth < kSmallDepth; }

struct Workspace {
  const float** rows;  // [taps, kBlock]
  float** outputs;     // [kBlock]
  int64_t* offsets;    // [taps]
  float* zeros;        // [depth]
  float* copies;       // [kBlock, taps * depth], where copies_rows
};

// Lays the workspace out in `memory` and returns its size in bytes; with no memory, only the size.
size_t lay_out(const cpu::TapWindow& window, void* memory, Workspace* workspace) {
  char* const start = static_cast<char*>(memory);
  size_t used = 0;
  const auto take = [&](size_t bytes) {
    char* const part = start == nullptr ? nullptr : start + used;
    used += (bytes + 63) / 64 * 64;
    return part;
  };
  const size_t taps = static_cast<size_t>(window.taps > 0 ? window.taps : 1);
  const size_t depth = static_cast<size_t>(window.depth);
  workspace->rows = reinterpret_cast<const float**>(take(taps * kBlock * sizeof(float*)));
  workspace->outputs = reinterpret_cast<float**>(take(kBlock * sizeof(float*)));
  workspace->offsets = reinterpret_cast<int64_t*>(take(taps * sizeof(int64_t)));
  workspace->zeros = reinterpret_cast<float*>(take(depth * sizeof(float)));
  workspace->copies = reinterpret_cast<float*>(take(copies_rows(window) ? kBlock * taps * depth * sizeof(float) : 0));
  return used;
}

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

// Copies the rows of all taps of each pixel together, and points rows[pixel] at the copy.
void copy_rows(const cpu::TapWindow& window, int64_t count, const Workspace& workspace) {
  const int64_t size = window.taps * window.depth;
  for (int64_t p = 0; p < count; ++p) {
    float* copy = workspace.copies + p * size;
    for (int64_t t = 0; t < window.taps; ++t) {
      const float* row = workspace.rows[t * kBlock + p];
      for (int64_t k = 0; k < window.depth; ++k) *copy++ = row[k];
    }
  }
  for (int64_t p = 0; p < count; ++p) workspace.rows[p] = workspace.copies + p * size;
}

}  // namespace

size_t gemm_scratch_bytes(const cpu::IndirectGemm& gemm) {
  Workspace workspace;
  return lay_out(gemm.window, nullptr, &workspace);
}

void gemm_range(const cpu::IndirectGemm& gemm, int64_t pixel_begin, int64_t pixel_end, int64_t panel_begin,
                int64_t panel_end, void* scratch) {
  const cpu::TapWindow& window = gemm.window;
  const cpu::PanelLayout layout = gemm_layout(gemm.columns);
  Workspace workspace;
  lay_out(window, scratch, &workspace);
  for (int64_t k = 0; k < window.depth; ++k) workspace.zeros[k] = 0;
  const TapRows source(window, workspace.offsets, workspace.zeros);
  const bool copied = copies_rows(window);
  const int64_t size = window.taps * window.depth;

  PixelCursor cursor = PixelCursor::at(window, pixel_begin);
  for (int64_t begin = pixel_begin; begin < pixel_end; begin += kBlock) {
    const int64_t count = pixel_end - begin < kBlock ? pixel_end - begin : kBlock;
    for (int64_t p = 0; p < count; ++p, cursor.advance(window)) {
      source.collect(cursor, workspace.rows + p, kBlock);
      workspace.outputs[p] = pixel_row(gemm.output, cursor);
    }
    if (copied) copy_rows(window, count, workspace);
    // The last tile reads whole: its surplus rows repeat a valid one and are never written.
    const int64_t taps = copied ? 1 : window.taps;
    for (int64_t t = 0; t < taps && count < kBlock; ++t) {
      const float** rows = workspace.rows + t * kBlock;
      for (int64_t p = count; p < count + 12 && p < kBlock; ++p) rows[p] = rows[count - 1];
    }

    for (int64_t panel = panel_begin; panel < panel_end; ++panel) {
      const int64_t first = layout.first_vector(panel);
      const int64_t vectors = layout.first_vector(panel + 1) - first;
      const int64_t first_column = first * kLanes;
      const Tile tile = {
          workspace.rows,
          kBlock,
          taps,
          copied ? size : window.depth,
          gemm.panels + first_column * size,
          workspace.outputs,
          0,
          first_column,
          gemm.columns - first_column < vectors * kLanes ? gemm.columns - first_column : vectors * kLanes,
          gemm.bias == nullptr ? nullptr : gemm.bias + first_column,
          gemm.activation};
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
