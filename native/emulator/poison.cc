#include "emulator/poison.h"

#include <cstring>

namespace ftwt::emulator {

void poison(void* memory, size_t bytes) {
  constexpr uint64_t kWord = kPoison * uint64_t{0x0001000100010001};
  auto* to = static_cast<unsigned char*>(memory);
  for (; bytes >= sizeof kWord; bytes -= sizeof kWord, to += sizeof kWord) std::memcpy(to, &kWord, sizeof kWord);
  if (bytes) std::memcpy(to, &kWord, bytes);
}

}  // namespace ftwt::emulator
