#include "cpu/planes/gemm_pack.h"
#include "cpu/planes/gemm_tile.h"
#include "cpu/planes/last_pixels.h"

namespace ftwt::FTWT_ISA {
namespace {

// Of one block of the sum, in floats: the weights of the rows that share a tile of b stay in the second-level cache,
// and that tile (kDepth vectors of each kind) in the first.
constexpr int64_t kWeights = 32 * 1024;
constexpr int64_t kDepth = kLanes == 16 ? 170 : 192;
constexpr int64_t kPanelDepth = kLanes == 16 ? 170 : 256;  // of panels, which take no more lines than they must
constexpr int64_t kCopies = 32 * 1024;                     // of tiles of b, in floats
// From so many rows on, a copy of the tile costs less than reading it from where it lies: of a window, whose taps lie
// apart, and of one tap.
constexpr int64_t kRowsForCopy = 32;
constexpr int64_t kRowsForCopyOfOne = 96;
// From so many pixels on, a copy of the weights does, too; it does not for cores with vectors of 16, which read three
// weights a cycle.
constexpr int64_t kPixelsForPanels = kLanes == 16 ? INT32_MAX : 10 * kLanes;

// Servers with vectors this long have second-level caches of 1 MB and more, and bring rows themselves: there it costs a
// tile of one vector 40 % to ask for them, and others 3 %.
constexpr bool kBringsAhead = kLanes != 16;

static_assert(cpu::PlaneGemm::kPanelMultiple % kPanelRows == 0);
static_assert(cpu::PlaneGemm::kMostPanelTaps <= kPanelDepth);
static_assert(kPanelDepth * kMaxVectors * kLanes <= kCopies);

// A part of the list of rows.
struct Rows {
  const int32_t* index;
  int64_t begin, end, count;  // count: of the list
};

// Calls body(begin, end) for groups of at most `largest` rows, as even as can be.
template <typename Body>
FTWT_INLINE void for_each_group(const Rows& rows, int64_t largest, const Body& body) {
  const int64_t count = rows.end - rows.begin;
  const int64_t groups = (count + largest - 1) / largest;
  for (int64_t i = 0; i < groups; ++i) body(rows.begin + count * i / groups, rows.begin + count * (i + 1) / groups);
}

FTWT_INLINE void run_strip(Tile tile, const Rows& rows, int64_t vectors) {
  for_each_group(rows, kMaxRows[vectors], [&](int64_t begin, int64_t end) {
    tile.rows = rows.index + begin;
    tile.first_row = begin;
    run_vectors(tile, end - begin, vectors);
  });
}

// Calls body(begin, end) for the rows of each panel.
template <typename Body>
FTWT_INLINE void for_each_panel(int64_t begin, int64_t end, const Body& body) {
  for (; begin < end; begin += kPanelRows) body(begin, begin + kPanelRows < end ? begin + kPanelRows : end);
}

// The same from panels, the first of which is that of the first row, with `depth` floats for each row.
FTWT_INLINE void run_panels(Tile tile, const Rows& rows, const float* panels, int64_t depth, int64_t vectors) {
  const int64_t first = tile.panel_column * tile.gemm->taps;
  tile.next_panel = kPanelRows * depth;
  const auto place = [&](int64_t begin, int64_t panel_rows) {
    tile.rows = rows.index + begin;
    tile.first_row = begin;
    tile.panel = panels + (begin - rows.begin) * depth + first * panel_rows;
  };
  int64_t begin = rows.begin;
  if (vectors == 1) {
    for (; begin + kPairRows <= rows.end; begin += kPairRows) {
      place(begin, kPanelRows);
      run_pair(tile);
    }
  }
  for_each_panel(begin, rows.end, [&](int64_t from, int64_t end) {
    place(from, end - from);
    run_vectors(tile, end - from, vectors);
  });
}

FTWT_INLINE int64_t parts(int64_t count, int64_t largest) { return (count + largest - 1) / largest; }

// Calls body(vectors) for each tile of pixels, of which a copy is at `copied` where there shall be one. Without room, b
// lies there as a copy would.
template <typename Body>
FTWT_INLINE void for_each_tile(Tile& tile, float* room, const Body& body) {
  for (tile.pixel = 0; tile.pixel < tile.gemm->pixels;) {
    const int64_t vectors = vectors_of_tile(parts(tile.gemm->pixels - tile.pixel, kLanes));
    if (tile.copied != nullptr && room != nullptr) {
      float* copy = room + tile.pixel * tile.copy_stride;
      if (!tile.is_copied) copy_tile(tile, vectors, copy);
      tile.copied = copy;
    }
    body(vectors);
    tile.pixel += vectors * kLanes;
  }
}

void run_block(Tile tile, const Rows& rows, float* room) {
  for_each_tile(tile, room, [&](int64_t vectors) { run_strip(tile, rows, vectors); });
}

// Reading weights costs a tile more than sums do, unless they lie one after the other: many pixels pay for a copy.
__attribute__((noinline)) void run_packed_block(Tile tile, const Rows& rows, float* room) {
  alignas(64) float panels[kWeights];
  const int64_t depth = (tile.column_end - tile.column_begin) * tile.gemm->taps;
  for_each_panel(rows.begin, rows.end, [&](int64_t begin, int64_t end) {
    pack_panel(tile, rows.index + begin, end - begin, panels + (begin - rows.begin) * depth);
  });
  for_each_tile(tile, room, [&](int64_t vectors) { run_panels(tile, rows, panels, depth, vectors); });
}

// Panels that were packed beforehand.
void run_given_panels(Tile tile, const Rows& rows, float* room) {
  const cpu::PlaneGemm& g = *tile.gemm;
  const int64_t depth = g.columns.count * g.taps;
  const float* panels = g.panels + (g.listed ? rows.begin : rows.index[rows.begin]) * depth;
  tile.panel_column = tile.column_begin;
  if (depth <= cpu::PlaneGemm::kFewColumns && tile.copied == nullptr && g.pixels > kLanes) {
    // All pixels fit a cache: long runs of each plane are written, one after the other.
    for_each_panel(rows.begin, rows.end, [&](int64_t begin, int64_t end) {
      const Rows some = {rows.index, begin, end, rows.count};
      const float* panel = panels + (begin - rows.begin) * depth;
      for_each_tile(tile, room, [&](int64_t vectors) { run_panels(tile, some, panel, depth, vectors); });
    });
    return;
  }
  for_each_tile(tile, room, [&](int64_t vectors) { run_panels(tile, rows, panels, depth, vectors); });
}

// How a product is cut: the sum into `depths` parts, the rows into `blocks`, whole panels but for the last.
struct Cut {
  int64_t depths, blocks, panels;

  int64_t column(const cpu::PlaneGemm& g, int64_t k) const { return g.columns.count * k / depths; }
  Rows rows(cpu::ChannelList list, int64_t i) const {
    const int64_t end = panels * (i + 1) / blocks * kPanelRows;
    return {list.index, panels * i / blocks * kPanelRows, end < list.count ? end : list.count, list.count};
  }
};

// The weights of block i of part k.
FTWT_INLINE Ahead weights_of(const cpu::PlaneGemm& g, const float* weights, const Cut& cut, cpu::ChannelList list,
                             int64_t k, int64_t i) {
  Ahead ahead = {};
  if (weights == nullptr || g.columns.count == 0) return ahead;
  const Rows rows = cut.rows(list, i);
  ahead.weights = weights;
  ahead.row_stride = g.row_stride;
  ahead.rows = list.index + rows.begin;
  ahead.count = rows.end - rows.begin;
  ahead.begin = g.columns.index[cut.column(g, k)] * g.taps / 16 * 16;
  ahead.end = (g.columns.index[cut.column(g, k + 1) - 1] + 1) * g.taps;
  ahead.next = ahead.begin;
  return ahead;
}

// What follows them: the next block, the next part's first, or the first of the next product.
FTWT_INLINE Ahead weights_after(const cpu::PlaneGemm& g, const Cut& cut, cpu::ChannelList list, int64_t k, int64_t i) {
  if (i + 1 < cut.blocks) return weights_of(g, g.weights, cut, list, k, i + 1);
  if (k + 1 < cut.depths) return weights_of(g, g.weights, cut, list, k + 1, 0);
  return weights_of(g, g.next_weights, cut, list, 0, 0);
}

FTWT_INLINE int64_t lines_of_row(const Ahead& ahead) { return parts(ahead.end - ahead.begin, 16); }

// Groups of rows by which what is brought is ahead of what is read.
constexpr int64_t kGroupsAhead = 2;

// What to bring while block i of part k is multiplied. Tiles of a first pass, or of the only one, bring rows of the
// same block; of the next, each tile brings as much, so that the last brings the last.
FTWT_INLINE Ahead ahead_of(const cpu::PlaneGemm& g, const Cut& cut, cpu::ChannelList list, int64_t k, int64_t i,
                           Ahead& after) {
  const int64_t vectors = parts(g.pixels, kLanes);
  const int64_t passes = parts(vectors, kMaxVectors);
  const int64_t group = kMaxRows[vectors < kMaxVectors ? vectors : kMaxVectors];
  const bool first = k == 0 && i == 0 && !g.follows;
  after = weights_after(g, cut, list, k, i);
  if (passes > 1) {
    const Rows rows = cut.rows(list, i);
    after.lines = parts(after.count * lines_of_row(after), passes * parts(rows.end - rows.begin, group));
    if (!first) return after;
  } else {
    if (after.count > kGroupsAhead * group) after.count = kGroupsAhead * group;
    after.lines = group * lines_of_row(after);
  }
  Ahead own = weights_of(g, g.weights, cut, list, k, i);
  own.lines = group * lines_of_row(own);
  own.then = after.count > 0 ? &after : nullptr;
  if (first) {
    bring(own, kGroupsAhead * own.lines);
  } else {
    const int64_t brought = own.count < kGroupsAhead * group ? own.count : kGroupsAhead * group;
    own.rows += brought;
    own.count -= brought;
  }
  return own;
}

// Whether columns and taps of b, which is one tile, follow one another as those of its copy would.
FTWT_INLINE bool lies_as_copied(const cpu::PlaneGemm& g) {
  const int64_t floats = parts(g.pixels, kLanes) * kLanes;
  bool follow = g.packed && g.b_stride == g.taps * floats;
  for (int64_t t = 0; t < g.taps && follow; ++t) follow = g.tap_offset[t] == t * floats;
  return follow;
}

// Blocks of the sum, then of rows, then tiles of pixels, then of rows: a tile of b is read from the first-level cache
// by all rows of a block, the block's weights from the second.
void multiply(const cpu::PlaneGemm& g, cpu::ChannelList rows) {
  const bool packs =
      g.panels == nullptr && g.pixels >= kPixelsForPanels && rows.count >= kRowsForCopy && g.taps <= kPanelDepth;
  const bool in_panels = packs || g.panels != nullptr;
  // One tile of pixels is read too seldom for blocks of the sum to be worth it.
  const bool one_tile = g.pixels <= kMaxVectors * kLanes;
  // Whole rows of windows are streams that the hardware brings better than any prefetch here.
  const bool long_rows = one_tile && g.taps > 1 && g.panels == nullptr;
  const bool whole_sum = long_rows || (one_tile && g.taps == 1 && !g.listed);
  const int64_t most_depth = whole_sum ? INT32_MAX : in_panels ? kPanelDepth : kDepth;
  const int64_t block_columns = most_depth / g.taps > 0 ? most_depth / g.taps : 1;
  const int64_t depths = g.columns.count > 0 ? parts(g.columns.count, block_columns) : 1;
  const int64_t depth = g.columns.count > 0 ? parts(g.columns.count, depths) * g.taps : 1;
  // Blocks of rows are whole panels but for the last.
  const int64_t panels = parts(rows.count, kPanelRows);
  const int64_t most_panels = kWeights / depth / kPanelRows;
  // One tile reads every weight once, whatever the blocks: in one, rows are shared out to the highest tiles.
  const bool one_block = whole_sum && (long_rows || !kBringsAhead);
  const int64_t blocks = one_block ? 1 : parts(panels, most_panels > 0 ? most_panels : 1);
  const Cut cut = {depths, blocks, panels};
  const int64_t block_rows = one_tile ? rows.count : rows.count / blocks;
  const bool worth_copying = block_rows >= (g.taps > 1 ? kRowsForCopy : kRowsForCopyOfOne);
  const bool must_copy = in_panels && (g.taps > 1 || ((packs || g.listed) && !g.packed));
  // A copy has room for kPanelDepth.
  const bool copies = !whole_sum && g.taps <= most_depth && (must_copy || worth_copying);
  // Tiles that several blocks of rows read are copied once.
  const bool copies_once = copies && blocks > 1 && parts(g.pixels, kLanes) * kLanes * depth <= kCopies;
  const bool lies_copied = whole_sum && lies_as_copied(g);
  alignas(64) float copied[kCopies];
  float* room = lies_copied ? nullptr : copied;
  for (int64_t k = 0; k < depths; ++k) {
    Tile tile = {};
    tile.gemm = &g;
    tile.column_begin = cut.column(g, k);
    tile.column_end = cut.column(g, k + 1);
    if (copies) tile.copied = copied;
    if (lies_copied) tile.copied = g.b;
    if (copies_once) tile.copy_stride = (tile.column_end - tile.column_begin) * g.taps;
    for (int64_t i = 0; i < blocks; ++i) {
      const Rows block = cut.rows(rows, i);
      Ahead ahead = {}, after = {};
      if (kBringsAhead && g.panels == nullptr && !long_rows && !g.weights_near) {
        ahead = ahead_of(g, cut, rows, k, i, after);
      }
      tile.ahead = ahead.lines > 0 ? &ahead : nullptr;
      if (copies_once) tile.is_copied = i > 0;
      if (g.panels != nullptr) {
        run_given_panels(tile, block, room);
      } else if (packs) {
        run_packed_block(tile, block, room);
      } else {
        run_block(tile, block, room);
      }
    }
  }
}

// The product without its first pixels, of rows of which so many come before.
FTWT_INLINE cpu::PlaneGemm rest_of(const cpu::PlaneGemm& g, int64_t rows, int64_t pixels) {
  cpu::PlaneGemm rest = g;
  rest.b += pixels;
  rest.pixels -= pixels;
  rest.out += pixels + (g.compact ? rows * g.out_stride : 0);
  if (g.residual != nullptr) rest.residual += pixels;
  if (g.listed) rest.panels += rows * g.columns.count * g.taps;
  return rest;
}

// So many rows at a time that the last pixels find their weights in the second-level cache.
void multiply_panels(const cpu::PlaneGemm& g, cpu::ChannelList rows, int64_t last) {
  const int64_t fitting = kLastWeights / (g.columns.count * g.taps) / kLastRows * kLastRows;
  const int64_t most = fitting > kLastRows ? fitting : kLastRows;
  for (int64_t first = 0; first < rows.count; first += most) {
    const cpu::ChannelList some = {rows.index + first, rows.count - first < most ? rows.count - first : most};
    cpu::PlaneGemm part = rest_of(g, first, 0);
    part.pixels -= last;
    multiply(part, some);
    part.pixels += last;
    const int64_t done = run_panel_last(part, some, last);
    if (done < some.count) multiply(rest_of(part, done, g.pixels - last), {some.index + done, some.count - done});
  }
}

}  // namespace

int64_t panel_rows() { return kPanelRows; }

void pack_panels(const cpu::PlaneGemm& g, cpu::ChannelList rows, int64_t begin, int64_t end, float* panels) {
  Tile tile = {};
  tile.gemm = &g;
  tile.column_end = g.columns.count;
  const int64_t depth = g.columns.count * g.taps;
  for_each_panel(begin, end, [&](int64_t first, int64_t last) {
    pack_panel(tile, rows.index + first, last - first, panels + first * depth);
  });
}

void plane_gemm(const cpu::PlaneGemm& g, cpu::ChannelList rows) {
  if (rows.count == 0) return;
  const int64_t last = rows.count < kLanes ? 0 : panel_last_pixels(g);
  if (last > 0) return multiply_panels(g, rows, last);
  const int64_t lone = lone_pixels(g);
  if (lone == 0) return multiply(g, rows);
  cpu::PlaneGemm others = g;
  others.pixels -= lone;
  multiply(others, rows);
  run_lone_pixels(g, rows, lone);
}

}  // namespace ftwt::FTWT_ISA
