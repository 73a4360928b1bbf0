// Gates: the dynamic nodes of a plan in their order, each deciding for every sample which channels are active.
#pragma once
#include <cstdint>
#include <vector>

#include "session/plan.h"

namespace ftwt::session {

struct Gates {
  std::vector<int64_t> channels;      // by gate
  std::vector<int64_t> mask_offsets;  // within one sample's masks
  std::vector<int32_t> of_node;       // -1: not dynamic
  // The gate beside whose active channels a value has nothing but zeros; -1: none.
  std::vector<int32_t> of_value;
  // A residual is added to all channels, so all of its are stored.
  std::vector<bool> residual;  // by value

  int32_t count() const { return static_cast<int32_t>(channels.size()); }
};

Gates gates_of(const Plan& plan);

}  // namespace ftwt::session
