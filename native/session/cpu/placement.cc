#include "session/cpu/placement.h"

#include "session/arena.h"
#include "session/gates.h"

namespace ftwt::session {
namespace {

// Planes of small images lie side by side; those of large ones start at a cache line, and never a multiple of 4 KiB
// apart, which would put all channels into the same sets of the first-level cache.
int64_t plane_floats(int64_t pixels) {
  if (pixels < 64) return pixels;
  const int64_t floats = round_up(pixels, 16);
  return floats % 1024 == 0 ? floats + 16 : floats;
}

constexpr int64_t kSlack = 256;  // floats behind a value that whole tiles may read

}  // namespace

Placement place(const Plan& plan, int64_t max_samples) {
  Placement result;
  const Gates gates = gates_of(plan);
  for (int32_t i = 0; i < gates.count(); ++i) {
    result.gates.push_back({gates.channels[i], gates.mask_offsets[i], result.list_ints});
    result.list_ints += (gates.channels[i] + 1) * max_samples;
  }
  result.gate_of_node = gates.of_node;
  std::vector<int64_t> floats;
  for (int32_t value = 0; value <= static_cast<int32_t>(plan.nodes.size()); ++value) {
    const Shape& shape = plan.shape(value);
    const int64_t plane = plane_floats(shape.pixels());
    const int64_t sample = round_up(plane * shape.c, 16);
    floats.push_back(round_up(sample * max_samples + kSlack, 16));
    result.values.push_back({shape, plane, sample, 0, gates.of_value[value]});
  }
  const Arena arena = share_memory(plan, floats);
  for (std::size_t value = 0; value < floats.size(); ++value) result.values[value].offset = arena.offsets[value];
  result.value_floats = arena.end;
  return result;
}

}  // namespace ftwt::session
