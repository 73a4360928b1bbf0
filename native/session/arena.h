// Which values of a plan share working memory: those whose lives do not overlap.
#pragma once
#include <cstdint>
#include <vector>

#include "session/plan.h"

namespace ftwt::session {

struct Arena {
  std::vector<int64_t> offsets;  // of the values of the plan
  int64_t end;                   // of the last
};

// `lengths`: of the values of the plan, in whatever unit the offsets are to be. A value's range is taken when its node
// runs, while those of the node's inputs are still in use.
Arena share_memory(const Plan& plan, const std::vector<int64_t>& lengths);

}  // namespace ftwt::session
