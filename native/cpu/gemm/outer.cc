// For a block of pixels, dy is packed into panels and the source into strips as wide as a tile: both then lie densely
// in the first-level cache (rows of many channels would share a few of its sets) while all taps pass over them.
#include "cpu/gemm/activate.h"
#include "cpu/gemm/gemm.h"
#include "cpu/gemm/outer_tile.h"
#include "cpu/gemm/rows.h"
#include "cpu/isa.h"

namespace ftwt::FTWT_ISA {

cpu::PanelLayout outer_layout(int64_t columns) {
  const int64_t vectors = (columns + kLanes - 1) / kLanes;
  return {kLanes, vectors, (vectors + kOuterVectors - 1) / kOuterVectors};
}

namespace {

constexpr int64_t kBlock = 192;
using Source = RowBlock<kBlock>;

// A panel of dy of this many floats (24 KiB) leaves room for a strip of the source beside it.
constexpr int64_t kPanelFloats = 6144;

int64_t block_pixels(const cpu::PanelLayout& layout) {
  const int64_t widest = (layout.vectors + layout.panels - 1) / layout.panels * kLanes;
  return smaller(kBlock, kPanelFloats / widest);
}

// Source pixels that a block may reach; blocks that reach more (large strides or dilations) read the source in place.
constexpr int64_t kMaxReach = 1024;

// The channels of a row, cut into strips of at most the tallest tile, as even as possible.
struct Strips {
  int64_t depth, count, widest;

  Strips(int64_t row_depth, const cpu::PanelLayout& layout) : depth(row_depth) {
    const int64_t vectors = (layout.vectors + layout.panels - 1) / layout.panels;  // of the widest panel
    const int64_t tallest = kOuterRows[vectors];
    count = (depth + tallest - 1) / tallest;
    widest = (depth + count - 1) / count;
  }
  int64_t first(int64_t strip) const { return depth * strip / count; }
};

struct Workspace {
  Source source;
  Strips strips;
  float* dy;      // [panel, kBlock, panel width]
  float* packed;  // [strip, 1 + pixels in reach at most, widest strip]: a row of zeros, then the source pixels in reach
  int64_t strip_stride;

  Workspace(const cpu::OuterGemm& gemm, const cpu::PanelLayout& layout, Carver* carver)
      : source(gemm.window, carver), strips(source.depth(), layout) {
    dy = carver->take<float>(kBlock * layout.vectors * kLanes);
    const int64_t source_pixels = gemm.window.batch * gemm.window.source_h * gemm.window.source_w;
    strip_stride = (1 + smaller(kMaxReach, source_pixels)) * strips.widest;
    packed = carver->take<float>(source.copied() ? 0 : strips.count * strip_stride + kLanes);
  }
};

void pack_dy(const cpu::OuterGemm& gemm, const cpu::PanelLayout& layout, const PixelCursor& start, int64_t count,
             float* packed) {
  for_each_run(gemm.window, start, count, [&](int64_t p, const PixelCursor& at, int64_t n) {
    for (int64_t panel = 0; panel < layout.panels; ++panel) {
      const int64_t vectors = layout.first_vector(panel + 1) - layout.first_vector(panel);
      const int64_t first = layout.first_vector(panel) * kLanes;
      const float* from = pixel_row(gemm.dy, at) + first;
      float* to = packed + first * kBlock + p * vectors * kLanes;
      for (int64_t q = 0; q < n; ++q, from += gemm.dy.pixel_stride) {
        for (int64_t v = 0; v < vectors; ++v, to += kLanes) {
          store(to, load_some(from + v * kLanes, gemm.columns - first - v * kLanes));
        }
      }
    }
  });
}

// Copies `pixels` source pixels, the first at (row, column) counted over the whole batch, into strips.
void pack_source(const cpu::TapWindow& window, const Workspace& w, int64_t row, int64_t column, int64_t pixels) {
  const int64_t widest = w.strips.widest;
  const float* const end = window.source + (window.batch - 1) * window.source_batch_stride +
                           (window.source_h - 1) * window.source_row_stride +
                           (window.source_w - 1) * window.source_pixel_stride + window.depth;
  for (int64_t strip = 0; strip < w.strips.count; ++strip) {
    const int64_t first = w.strips.first(strip);
    const int64_t width = w.strips.first(strip + 1) - first;
    float* to = w.packed + strip * w.strip_stride;
    for (int64_t c = 0; c < widest; ++c) *to++ = 0;
    int64_t h = row;
    int64_t x = column;
    const auto row_start = [&] {
      return window.source + h / window.source_h * window.source_batch_stride +
             h % window.source_h * window.source_row_stride + first;
    };
    const float* from = row_start() + x * window.source_pixel_stride;
    for (int64_t p = 0; p < pixels; ++p, to += widest, from += window.source_pixel_stride) {
      if (x++ == window.source_w) {
        ++h;
        x = 1;
        from = row_start();
      }
      // Whole vectors run over into the next pixel, which is written afterwards, or into the spare vector at the end.
      for (int64_t c = 0; c < width; c += kLanes) {
        store(to + c, end - (from + c) >= kLanes ? load(from + c) : load_partial(from + c, end - (from + c)));
      }
    }
  }
}

// Packs the source rows that the block reaches and says where they lie; the source itself where they are too many.
SourceRows reach(const cpu::TapWindow& window, const Workspace& w, const PixelCursor& start, int64_t count) {
  if (w.source.copied()) return w.source.source();
  const PixelCursor last =
      PixelCursor::at(window, (start.b * window.grid_h + start.i) * window.grid_w + start.j + count - 1);
  const TapBounds bounds = tap_bounds(window);
  const auto row_of = [&](const PixelCursor& at, int64_t tap) {
    const int64_t h = smaller(larger(at.i * window.step_h + tap, 0), window.source_h - 1);
    return at.b * window.source_h + h;
  };
  const int64_t first_row = row_of(start, bounds.min_h);
  const int64_t last_row = row_of(last, bounds.max_h);
  int64_t first_column = 0;
  int64_t last_column = window.source_w - 1;
  if (start.b == last.b && start.i == last.i && first_row == last_row) {
    first_column = smaller(larger(start.j * window.step_w + bounds.min_w, 0), last_column);
    last_column = larger(smaller(last.j * window.step_w + bounds.max_w, last_column), first_column);
  }
  const int64_t pixels = (last_row - first_row) * window.source_w + last_column - first_column + 1;
  if (pixels > kMaxReach) return w.source.source();
  pack_source(window, w, first_row, first_column, pixels);
  const int64_t widest = w.strips.widest;
  const int64_t first_pixel = first_row * window.source_w + first_column;
  return {w.packed + (1 - first_pixel) * widest, window.source_h * window.source_w * widest, window.source_w * widest,
          widest, w.packed};
}

}  // namespace

int64_t outer_units(const cpu::OuterGemm& gemm) {
  Carver carver(nullptr);
  const Workspace w(gemm, outer_layout(gemm.columns), &carver);
  return w.source.taps() * w.strips.count;
}

size_t outer_scratch_bytes(const cpu::OuterGemm& gemm) {
  Carver carver(nullptr);
  const Workspace w(gemm, outer_layout(gemm.columns), &carver);
  return carver.used();
}

void outer_range(const cpu::OuterGemm& gemm, int64_t pixel_begin, int64_t pixel_end, int64_t unit_begin,
                 int64_t unit_end, float* partial, void* scratch) {
  const cpu::TapWindow& window = gemm.window;
  const cpu::PanelLayout layout = outer_layout(gemm.columns);
  Carver carver(scratch);
  Workspace w(gemm, layout, &carver);
  Source& source = w.source;
  source.prepare();
  const int64_t block = block_pixels(layout);

  for (int64_t begin = pixel_begin; begin < pixel_end; begin += block) {
    const int64_t count = smaller(pixel_end - begin, block);
    const PixelCursor cursor = PixelCursor::at(window, begin);
    pack_dy(gemm, layout, cursor, count, w.dy);
    const SourceRows rows = reach(window, w, cursor, count);
    const bool in_strips = rows.zeros == w.packed;
    source.collect(cursor, count, rows);

    for (int64_t panel = 0; panel < layout.panels; ++panel) {
      const int64_t vectors = layout.first_vector(panel + 1) - layout.first_vector(panel);
      const int64_t first = layout.first_vector(panel) * kLanes;
      float* const result = partial + first * window.taps * window.depth;
      for (int64_t unit = unit_begin; unit < unit_end; ++unit) {
        const int64_t tap = unit % source.taps();
        const int64_t strip = unit / source.taps();
        const int64_t channel = w.strips.first(strip);
        const OuterTile tile = {.rows = source.rows() + tap * Source::kStride,
                                .offset = in_strips ? strip * w.strip_stride : channel,
                                .dy = w.dy + first * kBlock,
                                .count = count,
                                .partial = result + (tap * source.depth() + channel) * vectors * kLanes,
                                .add = begin > pixel_begin};
        run_outer(tile, w.strips.first(strip + 1) - channel, vectors);
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
    const int64_t columns = smaller(gemm.columns - first, width);
    for (int64_t row = row_begin; row < row_end; ++row) {
      const float* from = partials + first * rows + row * width;
      float* to = result.data + row * gemm.columns + first;
      for (int64_t c = 0; c < columns; c += kLanes) {
        Vec sum = load(from + c);
        for (int64_t i = 1; i < count; ++i) sum += load(from + i * size + c);
        if (result.bias != nullptr) sum += load_some(result.bias + first + c, columns - c);
        store_some(to + c, activate(sum, result.activation), columns - c);
      }
    }
  }
}

}  // namespace ftwt::FTWT_ISA
