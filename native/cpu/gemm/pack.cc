#include "cpu/gemm/gemm.h"
#include "cpu/gemm/tile.h"
#include "cpu/isa.h"
#include "cpu/lane_select.h"

namespace ftwt::FTWT_ISA {
namespace {

FTWT_INLINE const float* filter_row(const cpu::PackParams& p, int64_t t, int64_t k) {
  return p.filter + (p.tap_list ? p.tap_list[t] : t) * p.tap_stride + (p.row_list ? p.row_list[k] : k) * p.row_stride;
}

// Listed columns [first, first + columns) of rows of contiguous columns.
void pack_listed(const cpu::PackParams& p, int64_t first, int64_t columns, int64_t width, float* out) {
  LaneGroup groups[kMaxVectors * kLanes];  // at most one per column of a panel
  int64_t count = 0;
  for_each_lane_group(p.column_list + first, columns,
                      [&](const LaneGroup& group, int64_t) { groups[count++] = group; });
  for (int64_t t = 0; t < p.taps; ++t) {
    for (int64_t k = 0; k < p.depth; ++k, out += width) {
      const float* row = filter_row(p, t, k);
      float* to = out;
      for (int64_t i = 0; i < count; to += groups[i].count, ++i) gather_lanes(groups[i], row, to);
      for (; to < out + width; ++to) *to = 0;
    }
  }
}

}  // namespace

cpu::PanelLayout gemm_layout(int64_t columns) {
  const int64_t vectors = (columns + kLanes - 1) / kLanes;
  return {kLanes, vectors, (vectors + kMaxVectors - 1) / kMaxVectors};
}

// Packs one panel to its place in `packed`, the start of all panels.
void gemm_pack(const cpu::PackParams& p, int64_t panel, float* packed) {
  const cpu::PanelLayout layout = gemm_layout(p.columns);
  const int64_t first = layout.first_vector(panel) * kLanes;
  const int64_t width = layout.first_vector(panel + 1) * kLanes - first;
  const int64_t columns = p.columns - first < width ? p.columns - first : width;
  float* out = packed + first * p.taps * p.depth;
  if (p.column_list && p.column_stride == 1) return pack_listed(p, first, columns, width, out);
  for (int64_t t = 0; t < p.taps; ++t) {
    for (int64_t k = 0; k < p.depth; ++k, out += width) {
      const float* row = filter_row(p, t, k);
      if (p.column_list) {
        for (int64_t c = 0; c < columns; ++c) out[c] = row[p.column_list[first + c] * p.column_stride];
      } else if (p.column_stride == 1) {
        memcpy(out, row + first, static_cast<size_t>(columns) * sizeof(float));
      } else {
        for (int64_t c = 0; c < columns; ++c) out[c] = row[(first + c) * p.column_stride];
      }
      for (int64_t c = columns; c < width; ++c) out[c] = 0;
    }
  }
}

}  // namespace ftwt::FTWT_ISA
