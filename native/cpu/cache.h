// What the processor's caches hold.
#pragma once
#include <cstdint>

namespace ftwt::cpu {

// Of a core; 0 where it is unknown.
int64_t second_level_bytes();
// Half of it, between 256 KB and 1 MB: what a block of weights or of products may fill.
int64_t half_second_level_bytes();

}  // namespace ftwt::cpu
