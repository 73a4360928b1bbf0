// Where the values of a plan lie: working memory shared by values whose lives do not overlap, and which channels of
// each value are stored.
#pragma once
#include <vector>

#include "session/cpu/state.h"

namespace ftwt::session {

// Nodes that run one after the other for so many samples, and then for the next: large activations stay in the cache.
struct Section {
  int32_t first, end;
  int64_t samples;  // that run together: those of one thread, or all threads'
  bool shared;      // the threads share the work of each step, and so each weight is read by one of them
};

const Section& section_of(const std::vector<Section>& sections, int32_t node);

struct Placement {
  std::vector<Section> sections;      // of all nodes
  std::vector<ValueLayout> values;    // of the plan
  std::vector<Gate> gates;            // of the dynamic nodes, in their order
  std::vector<int32_t> gate_of_node;  // -1: not dynamic
  int64_t value_floats = 0;           // for max_samples samples
  int64_t local_floats = 0;           // for each of `threads`
  int64_t list_ints = 0;
};

// `threads`: how many run samples of their own.
Placement place(const Plan& plan, int64_t max_samples, int threads);

}  // namespace ftwt::session
