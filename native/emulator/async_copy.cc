#include "emulator/async_copy.h"

#include <cstring>
#include <string>

#include "emulator/block.h"
#include "emulator/poison.h"

namespace ftwt::emulator {

void AsyncCopies::start(void* to, const void* from, size_t bytes, size_t source_bytes) {
  const auto misaligned = [bytes](const void* address) { return reinterpret_cast<uintptr_t>(address) % bytes != 0; };
  if (misaligned(to) || misaligned(from)) {
    block().fail("cp.async of " + std::to_string(bytes) + " bytes: an address is not a multiple of that");
  }
  if (source_bytes > bytes) block().fail("cp.async: more bytes to read than to write");
  poison(to, bytes);
  pending_.push_back({to, from, bytes, source_bytes, groups_});
}

void AsyncCopies::wait(uint64_t groups_left) {
  size_t done = 0;
  for (; done < pending_.size() && pending_[done].group + groups_left < groups_; ++done) {
    const Copy& copy = pending_[done];
    if (copy.source_bytes) std::memcpy(copy.to, copy.from, copy.source_bytes);
    std::memset(static_cast<char*>(copy.to) + copy.source_bytes, 0, copy.bytes - copy.source_bytes);
  }
  pending_.erase(pending_.begin(), pending_.begin() + static_cast<ptrdiff_t>(done));
}

void AsyncCopies::clear() {
  pending_.clear();
  groups_ = 0;
}

}  // namespace ftwt::emulator
