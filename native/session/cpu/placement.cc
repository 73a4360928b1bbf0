#include "session/cpu/placement.h"

#include <algorithm>
#include <iterator>
#include <map>

namespace ftwt::session {
namespace {

// Planes of small images lie side by side; those of larger ones start at a cache line, an odd number of lines apart, so
// that the channels of a pixel lie in different sets of the caches.
int64_t plane_floats(int64_t pixels) { return pixels < 64 ? pixels : spread_stride(pixels); }

constexpr int64_t kSlack = 256;  // floats behind a value that whole tiles may read, and before it

// Free ranges of the working memory.
class Arena {
 public:
  int64_t take(int64_t floats) {
    for (auto it = free_.begin(); it != free_.end(); ++it) {
      if (it->second < floats) continue;
      const auto [offset, size] = *it;
      free_.erase(it);
      if (size > floats) free_[offset + floats] = size - floats;
      return offset;
    }
    if (!free_.empty()) {  // grow the last range
      const auto last = std::prev(free_.end());
      if (last->first + last->second == end_) {
        const int64_t offset = last->first;
        free_.erase(last);
        end_ = offset + floats;
        return offset;
      }
    }
    const int64_t offset = end_;
    end_ += floats;
    return offset;
  }

  void give_back(int64_t offset, int64_t floats) {
    auto next = free_.lower_bound(offset);
    if (next != free_.end() && offset + floats == next->first) {
      floats += next->second;
      next = free_.erase(next);
    }
    if (next != free_.begin()) {
      const auto before = std::prev(next);
      if (before->first + before->second == offset) {
        before->second += floats;
        return;
      }
    }
    free_[offset] = floats;
  }

  int64_t end() const { return end_; }

 private:
  std::map<int64_t, int64_t> free_;  // offset -> floats
  int64_t end_ = kSlack;
};

// A residual is added to all channels, so all of its are stored.
std::vector<bool> residuals(const Plan& plan) {
  std::vector<bool> result(plan.nodes.size() + 1);
  for (const Node& node : plan.nodes) {
    if (node.residual) result[*node.residual] = true;
  }
  return result;
}

int32_t gate_of_output(const Node& node, int32_t own, const std::vector<ValueLayout>& values) {
  switch (node.kind) {
    case NodeKind::Conv:
    case NodeKind::Depthwise: return node.residual ? -1 : own;
    case NodeKind::Pool:
    case NodeKind::GlobalPool: return values[node.inputs[0]].gate;
    default: return -1;
  }
}

}  // namespace

Placement place(const Plan& plan, int64_t max_samples) {
  Placement result;
  const auto count = static_cast<int32_t>(plan.nodes.size());
  std::vector<int32_t> last_use(static_cast<std::size_t>(count) + 1, -1);
  for (int32_t i = 0; i < count; ++i) {
    for (int32_t value : plan.nodes[i].inputs) last_use[value] = i;
    if (plan.nodes[i].residual) last_use[*plan.nodes[i].residual] = i;
  }
  last_use[plan.output] = count;

  Arena arena;
  std::vector<int64_t> floats;
  const auto add_value = [&](const Shape& shape, int32_t gate) {
    const int64_t plane = plane_floats(shape.pixels());
    const int64_t sample = round_up(plane * shape.c, 16);
    floats.push_back(round_up(sample * max_samples + kSlack, 16));
    result.values.push_back({shape, plane, sample, arena.take(floats.back()), gate});
  };
  const std::vector<bool> dense = residuals(plan);
  add_value(plan.input, -1);
  int64_t mask_offset = 0;
  for (int32_t i = 0; i < count; ++i) {
    const Node& node = plan.nodes[i];
    int32_t gate = -1;
    if (node.predictor) {
      gate = static_cast<int32_t>(result.gates.size());
      result.gates.push_back({node.out.c, mask_offset, result.list_ints});
      mask_offset += node.out.c;
      result.list_ints += (node.out.c + 1) * max_samples;
    }
    result.gate_of_node.push_back(gate);
    add_value(node.out, dense[i + 1] ? -1 : gate_of_output(node, gate, result.values));
    for (int32_t value = 0; value <= i + 1; ++value) {
      const bool unused = value == i + 1 && last_use[value] < 0;
      if (last_use[value] == i || unused) arena.give_back(result.values[value].offset, floats[value]);
    }
  }
  result.value_floats = arena.end();
  return result;
}

}  // namespace ftwt::session
