#include "session/cpu/placement.h"

#include <algorithm>

#include "cpu/cache.h"
#include "session/arena.h"
#include "session/gates.h"

namespace ftwt::session {
namespace {

// Planes of small images lie side by side; those of larger ones start at a cache line, an odd number of lines apart, so
// that the channels of a pixel lie in different sets of the caches.
int64_t plane_floats(int64_t pixels) { return pixels < 64 ? pixels : spread_stride(pixels); }

constexpr int64_t kSlack = 256;  // floats behind a value that whole tiles may read, and before it

// For what predictors pool, behind each sample of every value, so that values of one shape lie alike.
int64_t pooled_floats(const Plan& plan, const Shape& shape) {
  return plan.dynamic_nodes() > 0 ? round_up(shape.c, 16) : 0;
}

// What a node reads and writes for the samples of a section, in floats: what the last-level cache keeps, or, where each
// thread runs samples of its own and has a large second-level cache, half of these.
constexpr int64_t kSectionFloats = 1 << 20;
constexpr int64_t kLargeCache = 2 << 20;

int64_t section_floats(int threads) {
  if (threads == 1 || cpu::second_level_bytes() < kLargeCache) return kSectionFloats;
  return threads * cpu::half_second_level_bytes() / static_cast<int64_t>(sizeof(float));
}

// Weights that are not worth reading by each thread for itself: so many floats, and so many times the activations.
constexpr int64_t kSharedWeights = 2 << 20;
constexpr int64_t kSharedTimes = 4;

bool reads_weights_once(const Node& node, int64_t activations) {
  const auto weights = static_cast<int64_t>(node.weights.size());
  return weights >= kSharedWeights && weights >= kSharedTimes * activations;
}

std::vector<Section> sections_of(const Plan& plan, const std::vector<ValueLayout>& values, int64_t max_samples,
                                 int threads) {
  std::vector<Section> sections;
  for (int32_t i = 0; i < static_cast<int32_t>(plan.nodes.size()); ++i) {
    int64_t floats = values[i + 1].sample;
    for (const int32_t value : plan.nodes[i].inputs) floats += values[value].sample;
    int64_t samples = (max_samples + threads - 1) / threads;
    while (samples > 1 && samples * floats * threads > section_floats(threads)) samples = (samples + 1) / 2;
    const bool shared = threads > 1 && reads_weights_once(plan.nodes[i], floats * max_samples);
    if (shared) samples = max_samples;
    if (sections.empty() || sections.back().samples != samples || sections.back().shared != shared) {
      sections.push_back({i, i, samples, shared});
    }
    sections.back().end = i + 1;
  }
  return sections;
}

// The section that writes a value. A value that only this section sees has room for the section's samples. The others
// live through whole sections: these go through their nodes several times.
const Section& place_in_section(const std::vector<Section>& sections, int32_t value, ValueLayout& layout, Life& life) {
  const Section& written = section_of(sections, life.first);
  // The image is there before.
  layout.local = value > 0 && !written.shared && life.last < written.end;
  if (layout.local) return written;
  life.first = value > 0 ? written.first : 0;
  if (life.last < sections.back().end) life.last = section_of(sections, life.last).end - 1;
  return written;
}

// Where a value's node may leave what predictors pool of it: planes that are just written are in the caches.
void place_pooled(const Plan& plan, int32_t value, ValueLayout& layout) {
  if (value == 0) return;
  const Node& writes = plan.nodes[value - 1];
  if (writes.kind != NodeKind::Conv && writes.kind != NodeKind::Depthwise) return;
  if (writes.function || (writes.residual && writes.predictor)) return;  // further steps write
  const Predictor* predictor = nullptr;
  for (const Node& node : plan.nodes) {
    if (!node.predictor || node.inputs[0] != value) continue;
    if (predictor != nullptr && predictor->average != node.predictor->average) return;
    predictor = &*node.predictor;
  }
  if (predictor == nullptr) return;
  layout.pooled = layout.sample - pooled_floats(plan, layout.shape);
  layout.pooled_average = predictor->average;
}

// A convolution's sums may take the place of the residual that they are added to, if nothing reads it any more.
// Products of one tap are added to the output block by block, before the residual.
bool replaces_residual(const Plan& plan, const std::vector<ValueLayout>& values, const std::vector<Life>& lives,
                       int32_t node) {
  const Node& n = plan.nodes[node];
  if (!n.residual || *n.residual == 0 || n.kh * n.kw == 1) return false;
  const int32_t residual = *n.residual;
  return lives[residual].last == node && std::find(n.inputs.begin(), n.inputs.end(), residual) == n.inputs.end() &&
         values[residual].local == values[node + 1].local && values[node + 1].whole;
}

// Gives every value that is `local`, or that is not, its memory. `home`: the value whose memory it takes over, or
// itself.
int64_t assign_memory(const std::vector<int32_t>& home, const std::vector<Life>& lives,
                      const std::vector<int64_t>& floats, bool local, std::vector<ValueLayout>& values) {
  std::vector<Life> home_lives;
  std::vector<int64_t> home_floats;
  std::vector<std::size_t> number(home.size());
  for (std::size_t value = 0; value < home.size(); ++value) {
    if (values[value].local != local) continue;
    if (home[value] == static_cast<int32_t>(value)) {
      number[value] = home_lives.size();
      home_lives.push_back(lives[value]);
      home_floats.push_back(floats[value]);
    } else {
      number[value] = number[home[value]];
      Life& life = home_lives[number[value]];
      life.last = std::max(life.last, lives[value].last);
    }
  }
  const Arena arena = share_memory(home_lives, home_floats);
  for (std::size_t value = 0; value < home.size(); ++value) {
    if (values[value].local == local) values[value].offset = kSlack + arena.offsets[number[value]];
  }
  return round_up(kSlack + arena.end, 16);
}

}  // namespace

const Section& section_of(const std::vector<Section>& sections, int32_t node) {
  return *std::find_if(sections.begin(), sections.end(), [&](const Section& s) { return node < s.end; });
}

Placement place(const Plan& plan, int64_t max_samples, int threads) {
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
    const int64_t sample = round_up(plane * shape.c, 16) + pooled_floats(plan, shape);
    result.values.push_back(
        {shape, plane, sample, 0, gates.of_value[value], gates.of_value[value] < 0 || gates.residual[value]});
    place_pooled(plan, value, result.values.back());
  }
  result.sections = sections_of(plan, result.values, max_samples, threads);
  const std::vector<Life> uses = lives_of(plan);
  std::vector<Life> lives = uses;
  std::vector<int64_t> floats;
  std::vector<int32_t> home;
  for (int32_t value = 0; value < count; ++value) {
    ValueLayout& layout = result.values[value];
    const Section& section = place_in_section(result.sections, value, layout, lives[value]);
    floats.push_back(round_up(layout.sample * (layout.local ? section.samples : max_samples) + kSlack, 16));
  }
  for (int32_t value = 0; value < count; ++value) {
    const bool replaces = value > 0 && replaces_residual(plan, result.values, uses, value - 1);
    home.push_back(replaces ? home[*plan.nodes[value - 1].residual] : value);
  }
  for (const bool local : {false, true}) {
    (local ? result.local_floats : result.value_floats) = assign_memory(home, lives, floats, local, result.values);
  }
  return result;
}

}  // namespace ftwt::session
