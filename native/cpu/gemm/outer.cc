#include "cpu/gemm/gemm.h"
#include "cpu/gemm/outer_tile.h"
#include "cpu/gemm/rows.h"
#include "cpu/isa.h"

namespace ftwt::FTWT_ISA {
namespace {

// Panels are narrower than those of the indirect product: a block of dy has to stay in the first-level cache.
constexpr int64_t kOuterVectors = 2;

// Copies the rows of dy of one pixel into the panels [panel, kBlock, width], zeros in the padding.
FTWT_INLINE void pack_dy(const float* dy, int64_t columns, const cpu::PanelLayout& layout, int64_t p, float* packed) {
  for (int64_t panel = 0; panel < layout.panels; ++panel) {
    const int64_t vectors = layout.first_vector(panel + 1) - layout.first_vector(panel);
    const int64_t first = layout.first_vector(panel) * kLanes;
    float* out = packed + first * kBlock + p * vectors * kLanes;
    for (int64_t v = 0; v < vectors; ++v) {
      const int64_t left = columns - first - v * kLanes;
      const float* from = dy + first + v * kLanes;
      store(out + v * kLanes, left >= kLanes ? load(from) : load_partial(from, left));
    }
  }
}

template <int NV>
FTWT_INLINE void run_unit(const OuterTile& tile, int64_t rows) {
  if (rows == kUnitRows) return run_outer_tile<kUnitRows, NV>(tile);
  OuterTile part = tile;
  const auto take = [&](int64_t done) {
    part.channel += done;
    part.partial += done * NV * kLanes;
    rows -= done;
  };
  if (rows >= 4) run_outer_tile<4, NV>(part), take(4);
  if (rows >= 2) run_outer_tile<2, NV>(part), take(2);
  if (rows >= 1) run_outer_tile<1, NV>(part);
}

}  // namespace

cpu::PanelLayout outer_layout(int64_t columns) {
  const int64_t vectors = (columns + kLanes - 1) / kLanes;
  return {kLanes, vectors, (vectors + kOuterVectors - 1) / kOuterVectors};
}

int64_t outer_units(const cpu::OuterGemm& gemm) {
  Carver carver(nullptr);
  const RowBlock source(gemm.window, &carver);
  return source.taps() * ((source.depth() + kUnitRows - 1) / kUnitRows);
}

size_t outer_scratch_bytes(const cpu::OuterGemm& gemm) {
  Carver carver(nullptr);
  RowBlock source(gemm.window, &carver);
  carver.take<float>(kBlock * outer_layout(gemm.columns).vectors * kLanes);
  return carver.used();
}

void outer_range(const cpu::OuterGemm& gemm, int64_t pixel_begin, int64_t pixel_end, int64_t unit_begin,
                 int64_t unit_end, float* partial, void* scratch) {
  const cpu::TapWindow& window = gemm.window;
  const cpu::PanelLayout layout = outer_layout(gemm.columns);
  Carver carver(scratch);
  RowBlock source(window, &carver);
  float* packed = carver.take<float>(kBlock * layout.vectors * kLanes);
  source.prepare();
  const int64_t tap_units = (source.depth() + kUnitRows - 1) / kUnitRows;

  PixelCursor cursor = PixelCursor::at(window, pixel_begin);
  for (int64_t begin = pixel_begin; begin < pixel_end; begin += kBlock) {
    const int64_t count = pixel_end - begin < kBlock ? pixel_end - begin : kBlock;
    for (int64_t p = 0; p < count; ++p, cursor.advance(window)) {
      source.set(p, cursor);
      pack_dy(pixel_row(gemm.dy, cursor), gemm.columns, layout, p, packed);
    }
    source.finish(count);

    for (int64_t panel = 0; panel < layout.panels; ++panel) {
      const int64_t vectors = layout.first_vector(panel + 1) - layout.first_vector(panel);
      const int64_t first = layout.first_vector(panel) * kLanes;
      for (int64_t unit = unit_begin; unit < unit_end; ++unit) {
        const int64_t tap = unit / tap_units;
        const int64_t channel = unit % tap_units * kUnitRows;
        const int64_t left = source.depth() - channel;
        const OuterTile tile = {.rows = source.rows() + tap * kBlock,
                                .channel = channel,
                                .dy = packed + first * kBlock,
                                .count = count,
                                .partial = partial + first * window.taps * window.depth +
                                           (tap * source.depth() + channel) * vectors * kLanes,
                                .add = begin > pixel_begin};
        if (vectors == 1) {
          run_unit<1>(tile, left < kUnitRows ? left : kUnitRows);
        } else {
          run_unit<2>(tile, left < kUnitRows ? left : kUnitRows);
        }
      }
    }
  }
}

void outer_sum(const cpu::OuterGemm& gemm, const float* partials, int64_t count, int64_t row_begin, int64_t row_end,
               const cpu::OuterResult& result) {
  const cpu::PanelLayout layout = outer_layout(gemm.columns);
  const int64_t rows = gemm.window.taps * gemm.window.depth;
  const int64_t size = rows * layout.vectors * kLanes;
  for (int64_t panel = 0; panel < layout.panels; ++panel) {
    const int64_t first = layout.first_vector(panel) * kLanes;
    const int64_t width = layout.first_vector(panel + 1) * kLanes - first;
    const int64_t columns = gemm.columns - first < width ? gemm.columns - first : width;
    for (int64_t row = row_begin; row < row_end; ++row) {
      const float* from = partials + first * rows + row * width;
      float* to = result.data + row * gemm.columns + first;
      for (int64_t c = 0; c < columns; c += kLanes) {
        const int64_t left = columns - c;
        Vec sum = load(from + c);
        for (int64_t i = 1; i < count; ++i) sum += load(from + i * size + c);
        if (result.bias != nullptr) {
          const float* bias = result.bias + first + c;
          sum += left >= kLanes ? load(bias) : load_partial(bias, left);
        }
        sum = activate(sum, result.activation);
        if (left >= kLanes) {
          store(to + c, sum);
        } else {
          store_partial(to + c, sum, left);
        }
      }
    }
  }
}

}  // namespace ftwt::FTWT_ISA
