// Words for places in a kernel.
#pragma once
#include <source_location>
#include <string>

#include "emulator/vector_types.h"

namespace ftwt::emulator {

struct Site;

std::string hexadecimal(uint32_t mask);
std::string describe(uint3 index);
std::string describe(const std::source_location& where);  // file:line
std::string describe(const Site& site);

}  // namespace ftwt::emulator
