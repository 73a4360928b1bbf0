// cp.async. The hardware may write the destination at any time between the copy and the wait, so the emulator makes it
// poison at the copy and writes it at the wait: both a missing wait and a buffer still in use are seen.
#pragma once
#include <cstddef>
#include <cstdint>
#include <vector>

namespace ftwt::emulator {

class AsyncCopies {
 public:
  void start(void* to, const void* from, size_t bytes, size_t source_bytes);
  void commit() { ++groups_; }
  void wait(uint64_t groups_left);
  void clear();

 private:
  struct Copy {
    void* to;
    const void* from;
    size_t bytes, source_bytes;
    uint64_t group;
  };
  std::vector<Copy> pending_;
  uint64_t groups_ = 0;
};

}  // namespace ftwt::emulator
