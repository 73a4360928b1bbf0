#include "cpu/scratch.h"

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <cstring>

#include "cpu/memory.h"

namespace ftwt::cpu {
namespace {

std::atomic<std::size_t> block_count{0};

struct Block {
  void* data = nullptr;
  std::size_t bytes = 0;
  ~Block() {
    if (data == nullptr) return;
    std::free(data);
    block_count.fetch_sub(1, std::memory_order_relaxed);
  }
};

thread_local Block blocks[static_cast<int>(Scratch::Count)];

}  // namespace

void* thread_scratch(Scratch slot, std::size_t bytes) {
  Block& block = blocks[static_cast<int>(slot)];
  if (block.bytes < bytes || block.data == nullptr) {
    const std::size_t wanted = std::max(bytes + bytes / 4, kBlockAlignment);
    void* data = require_aligned(wanted);
    // Lanes of no meaning are read: what the heap left there may be denormal numbers, which take a hundred times as
    // long.
    std::memset(data, 0, wanted);
    if (block.data == nullptr) block_count.fetch_add(1, std::memory_order_relaxed);
    std::free(block.data);
    block.data = data;
    block.bytes = wanted;
  }
  return block.data;
}

std::size_t scratch_block_count() noexcept { return block_count.load(std::memory_order_relaxed); }

}  // namespace ftwt::cpu
