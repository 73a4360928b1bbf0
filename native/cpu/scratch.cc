#include "cpu/scratch.h"

#include <algorithm>

#include "cpu/memory.h"

namespace ftwt::cpu {
namespace {

struct Block {
  void* data = nullptr;
  std::size_t bytes = 0;
  ~Block() {
    if (data != nullptr) free_block(data);
  }
};

thread_local Block blocks[static_cast<int>(Scratch::Count)];

}  // namespace

void* thread_scratch(Scratch slot, std::size_t bytes) {
  Block& block = blocks[static_cast<int>(slot)];
  if (block.bytes < bytes || block.data == nullptr) {
    const std::size_t wanted = std::max(bytes + bytes / 4, kBlockAlignment);
    void* data = allocate_block(wanted);
    if (block.data != nullptr) free_block(block.data);
    block.data = data;
    block.bytes = wanted;
  }
  return block.data;
}

}  // namespace ftwt::cpu
