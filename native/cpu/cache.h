// What the processor's caches hold.
#pragma once
#include <cstdint>

namespace ftwt::cpu {

// Half of a core's second-level cache, between 256 KB and 1 MB: what a block of weights or of products may fill.
int64_t half_second_level_bytes();

}  // namespace ftwt::cpu
