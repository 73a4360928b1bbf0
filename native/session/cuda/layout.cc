#include "session/cuda/layout.h"

#include <algorithm>

#include "ops/common.h"
#include "session/arena.h"

namespace ftwt::session::device {
namespace {

constexpr int64_t kAlignment = 64;                        // floats: 256 bytes
constexpr int64_t kMaxFloats = (int64_t{1} << 31) - 256;  // of a value: kernels count in 32 bits

// Whether the node reads its input channel by channel, as its gate lists them.
bool reads_packed(const Node& node) {
  return node.kind == NodeKind::Conv || node.kind == NodeKind::Depthwise || node.kind == NodeKind::Pool ||
         node.kind == NodeKind::GlobalPool;
}

// Of `node`, given which of the values before it are packed.
bool writes_packed(const Node& node, const std::vector<bool>& packed) {
  switch (node.kind) {
    case NodeKind::Conv:
    case NodeKind::Depthwise: return !node.function;
    case NodeKind::Pool: return packed[node.inputs[0]];
    default: return false;
  }
}

// Values whose gate is known, and whose every reader takes them packed.
std::vector<bool> packed_values(const Plan& plan, const Gates& gates) {
  std::vector<bool> readable(plan.nodes.size() + 1, true);
  readable[plan.output] = false;
  for (const Node& node : plan.nodes) {
    if (reads_packed(node)) continue;
    for (const int32_t value : node.inputs) readable[value] = false;
  }
  for (std::size_t value = 0; value < readable.size(); ++value) {
    if (gates.residual[value]) readable[value] = false;
  }
  std::vector<bool> packed(plan.nodes.size() + 1);
  for (std::size_t i = 0; i < plan.nodes.size(); ++i) {
    packed[i + 1] = gates.of_value[i + 1] >= 0 && readable[i + 1] && writes_packed(plan.nodes[i], packed);
  }
  return packed;
}

// What a predictor depends on, from the last node to the first.
std::vector<bool> steady_nodes(const Plan& plan) {
  std::vector<bool> needed(plan.nodes.size() + 1);  // by value
  std::vector<bool> steady(plan.nodes.size());
  for (std::size_t i = plan.nodes.size(); i-- > 0;) {
    const Node& node = plan.nodes[i];
    steady[i] = needed[i + 1];
    if (node.predictor) needed[node.inputs[0]] = true;
    if (!steady[i]) continue;
    for (const int32_t value : node.inputs) needed[value] = true;
    if (node.residual) needed[*node.residual] = true;
  }
  return steady;
}

int64_t sample_floats(const ValueLayout& value) {
  return value.shape.pixels() * (value.packed ? padded_channels(value.shape.c) : value.shape.c);
}

}  // namespace

Layout lay_out(const Plan& plan, int64_t batch) {
  Layout layout;
  layout.gates = gates_of(plan);
  layout.steady = steady_nodes(plan);
  const std::vector<bool> packed = packed_values(plan, layout.gates);
  std::vector<int64_t> floats;
  for (int32_t value = 0; value <= static_cast<int32_t>(plan.nodes.size()); ++value) {
    layout.values.push_back({plan.shape(value), 0, layout.gates.of_value[value], packed[value]});
    floats.push_back((sample_floats(layout.values.back()) * batch + kAlignment - 1) / kAlignment * kAlignment);
    if (floats.back() > kMaxFloats) {
      throw Error(ErrorCode::InvalidArgument, "A session on a GPU: expected values of at most " +
                                                  std::to_string(kMaxFloats) + " floats, got " +
                                                  std::to_string(floats.back()));
    }
  }
  const Arena arena = share_memory(lives_of(plan), floats);
  for (std::size_t value = 0; value < floats.size(); ++value) layout.values[value].offset = arena.offsets[value];
  layout.value_floats = arena.end;
  for (const int64_t channels : layout.gates.channels) {
    layout.list_offsets.push_back(layout.list_ints);
    layout.list_ints += (2 * channels + 1) * batch;
  }
  return layout;
}

}  // namespace ftwt::session::device
