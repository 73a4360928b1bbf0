#include "session/arena.h"

#include <algorithm>
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

}  // namespace

std::vector<Life> lives_of(const Plan& plan) {
  const auto count = static_cast<int32_t>(plan.nodes.size());
  std::vector<Life> lives = {{0, 0}};
  for (int32_t i = 0; i < count; ++i) {
    lives.push_back({i, i});
    for (const int32_t value : plan.nodes[i].inputs) lives[value].last = i;
    if (plan.nodes[i].residual) lives[*plan.nodes[i].residual].last = i;
  }
  lives[plan.output].last = count;
  return lives;
}

Arena share_memory(const std::vector<Life>& lives, const std::vector<int64_t>& lengths) {
  FreeRanges ranges;
  Arena arena = {std::vector<int64_t>(lives.size()), 0};
  int32_t nodes = 0;
  for (const Life& life : lives) nodes = std::max(nodes, life.last + 1);
  for (int32_t i = 0; i < nodes; ++i) {
    for (std::size_t value = 0; value < lives.size(); ++value) {
      if (lives[value].first == i) arena.offsets[value] = ranges.take(lengths[value]);
    }
    for (std::size_t value = 0; value < lives.size(); ++value) {
      if (lives[value].last == i) ranges.give_back(arena.offsets[value], lengths[value]);
    }
  }
  arena.end = ranges.end();
  return arena;
}

}  // namespace ftwt::session
