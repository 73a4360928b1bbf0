// What the whole process has once.
#pragma once
#include <shared_mutex>

namespace ftwt::binding {

// Whatever computes shares it. The number of threads and the instruction set, by which an op sizes its memory more than
// once, change only while no thread of the process computes.
extern std::shared_mutex settings;

}  // namespace ftwt::binding
