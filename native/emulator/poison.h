// What memory holds that nothing has written: NaN as float, half and bfloat16, and a huge number as int.
#pragma once
#include <cstddef>
#include <cstdint>

namespace ftwt::emulator {

constexpr uint16_t kPoison = 0x7fa5;

void poison(void* memory, size_t bytes);

}  // namespace ftwt::emulator
