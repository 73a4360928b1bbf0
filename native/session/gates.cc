#include "session/gates.h"

namespace ftwt::session {
namespace {

std::vector<bool> residuals(const Plan& plan) {
  std::vector<bool> result(plan.nodes.size() + 1);
  for (const Node& node : plan.nodes) {
    if (node.residual) result[*node.residual] = true;
  }
  return result;
}

int32_t gate_of_output(const Node& node, int32_t own, const std::vector<int32_t>& of_value) {
  switch (node.kind) {
    case NodeKind::Conv:
    case NodeKind::Depthwise: return node.residual ? -1 : own;
    case NodeKind::Pool:
    case NodeKind::GlobalPool: return of_value[node.inputs[0]];
    default: return -1;
  }
}

}  // namespace

Gates gates_of(const Plan& plan) {
  Gates gates;
  gates.residual = residuals(plan);
  gates.of_value.push_back(-1);
  int64_t mask_offset = 0;
  for (std::size_t i = 0; i < plan.nodes.size(); ++i) {
    const Node& node = plan.nodes[i];
    int32_t own = -1;
    if (node.predictor) {
      own = gates.count();
      gates.channels.push_back(node.out.c);
      gates.mask_offsets.push_back(mask_offset);
      mask_offset += node.out.c;
    }
    gates.of_node.push_back(own);
    gates.of_value.push_back(gate_of_output(node, own, gates.of_value));
  }
  return gates;
}

}  // namespace ftwt::session
