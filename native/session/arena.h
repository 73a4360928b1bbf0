// Which values of a plan share working memory: those whose lives do not overlap.
#pragma once
#include <cstdint>
#include <vector>

#include "session/plan.h"

namespace ftwt::session {

// Of a value: it is there from when node `first` runs until node `last` has run.
struct Life {
  int32_t first, last;
};

// From the node that writes a value (0 for the image) to the last that reads it (behind the last node for the output).
std::vector<Life> lives_of(const Plan& plan);

struct Arena {
  std::vector<int64_t> offsets;  // of the values
  int64_t end;                   // of the last
};

// `lengths`: of the values, in whatever unit the offsets are to be. The values of one node's output are taken before
// those that it read last are given back.
Arena share_memory(const std::vector<Life>& lives, const std::vector<int64_t>& lengths);

}  // namespace ftwt::session
