#include "session/cpu/placement.h"

#include <algorithm>

#include "session/arena.h"
#include "session/gates.h"

namespace ftwt::session {
namespace {

// Planes of small images lie side by side; those of larger ones start at a cache line, an odd number of lines apart, so
// that the channels of a pixel lie in different sets of the caches.
int64_t plane_floats(int64_t pixels) { return pixels < 64 ? pixels : spread_stride(pixels); }

constexpr int64_t kSlack = 256;  // floats behind a value that whole tiles may read, and before it

// What a node reads and writes for the samples of a section should stay in the last-level cache, in floats.
constexpr int64_t kSectionFloats = 1 << 20;

std::vector<Section> sections_of(const Plan& plan, const std::vector<ValueLayout>& values, int64_t max_samples) {
  std::vector<Section> sections;
  for (int32_t i = 0; i < static_cast<int32_t>(plan.nodes.size()); ++i) {
    int64_t floats = values[i + 1].sample;
    for (const int32_t value : plan.nodes[i].inputs) floats += values[value].sample;
    int64_t samples = max_samples;
    while (samples > 1 && samples * floats > kSectionFloats) samples = (samples + 1) / 2;
    if (sections.empty() || sections.back().samples != samples) sections.push_back({i, i, samples});
    sections.back().end = i + 1;
  }
  return sections;
}

const Section& section_of(const std::vector<Section>& sections, int32_t node) {
  return *std::find_if(sections.begin(), sections.end(), [&](const Section& s) { return node < s.end; });
}

// The section that writes a value. A value that only this section sees has room for the section's samples. The others
// live through whole sections: these go through their nodes several times.
const Section& place_in_section(const std::vector<Section>& sections, int32_t value, ValueLayout& layout, Life& life) {
  const Section& written = section_of(sections, life.first);
  layout.local = value > 0 && life.last < written.end;  // the image is there before
  if (layout.local) return written;
  life.first = value > 0 ? written.first : 0;
  if (life.last < sections.back().end) life.last = section_of(sections, life.last).end - 1;
  return written;
}

}  // namespace

Placement place(const Plan& plan, int64_t max_samples) {
  Placement result;
  const Gates gates = gates_of(plan);
  for (int32_t i = 0; i < gates.count(); ++i) {
    result.gates.push_back({gates.channels[i], gates.mask_offsets[i], result.list_ints});
    result.list_ints += (gates.channels[i] + 1) * max_samples;
  }
  result.gate_of_node = gates.of_node;
  const auto count = static_cast<int32_t>(plan.nodes.size()) + 1;
  for (int32_t value = 0; value < count; ++value) {
    const Shape& shape = plan.shape(value);
    const int64_t plane = plane_floats(shape.pixels());
    result.values.push_back({shape, plane, round_up(plane * shape.c, 16), 0, gates.of_value[value]});
  }
  result.sections = sections_of(plan, result.values, max_samples);
  std::vector<Life> lives = lives_of(plan);
  std::vector<int64_t> floats;
  for (int32_t value = 0; value < count; ++value) {
    ValueLayout& layout = result.values[value];
    const Section& section = place_in_section(result.sections, value, layout, lives[value]);
    floats.push_back(round_up(layout.sample * (layout.local ? section.samples : max_samples) + kSlack, 16));
  }
  const Arena arena = share_memory(lives, floats);
  for (int32_t value = 0; value < count; ++value) result.values[value].offset = kSlack + arena.offsets[value];
  result.value_floats = kSlack + arena.end;
  return result;
}

}  // namespace ftwt::session
