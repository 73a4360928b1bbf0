#include "session/arena.h"

#include <iterator>
#include <map>

namespace ftwt::session {
namespace {

class FreeRanges {
 public:
  int64_t take(int64_t length) {
    for (auto it = free_.begin(); it != free_.end(); ++it) {
      if (it->second < length) continue;
      const auto [offset, size] = *it;
      free_.erase(it);
      if (size > length) free_[offset + length] = size - length;
      return offset;
    }
    if (!free_.empty()) {  // grow the last range
      const auto last = std::prev(free_.end());
      if (last->first + last->second == end_) {
        const int64_t offset = last->first;
        free_.erase(last);
        end_ = offset + length;
        return offset;
      }
    }
    const int64_t offset = end_;
    end_ += length;
    return offset;
  }

  void give_back(int64_t offset, int64_t length) {
    auto next = free_.lower_bound(offset);
    if (next != free_.end() && offset + length == next->first) {
      length += next->second;
      next = free_.erase(next);
    }
    if (next != free_.begin()) {
      const auto before = std::prev(next);
      if (before->first + before->second == offset) {
        before->second += length;
        return;
      }
    }
    free_[offset] = length;
  }

  int64_t end() const { return end_; }

 private:
  std::map<int64_t, int64_t> free_;  // offset -> length
  int64_t end_ = 0;
};

// Of every value, the last node that reads it: -1 where there is none, their number for the output.
std::vector<int32_t> last_uses(const Plan& plan) {
  const auto count = static_cast<int32_t>(plan.nodes.size());
  std::vector<int32_t> last_use(static_cast<std::size_t>(count) + 1, -1);
  for (int32_t i = 0; i < count; ++i) {
    for (const int32_t value : plan.nodes[i].inputs) last_use[value] = i;
    if (plan.nodes[i].residual) last_use[*plan.nodes[i].residual] = i;
  }
  last_use[plan.output] = count;
  return last_use;
}

}  // namespace

Arena share_memory(const Plan& plan, const std::vector<int64_t>& lengths) {
  const std::vector<int32_t> last_use = last_uses(plan);
  FreeRanges ranges;
  Arena arena;
  arena.offsets.push_back(ranges.take(lengths[0]));
  for (int32_t i = 0; i < static_cast<int32_t>(plan.nodes.size()); ++i) {
    arena.offsets.push_back(ranges.take(lengths[i + 1]));
    for (int32_t value = 0; value <= i + 1; ++value) {
      const bool unused = value == i + 1 && last_use[value] < 0;
      if (last_use[value] == i || unused) ranges.give_back(arena.offsets[value], lengths[value]);
    }
  }
  arena.end = ranges.end();
  return arena;
}

}  // namespace ftwt::session
