#include "cpu/memory.h"

#include <atomic>
#include <cstdlib>

#include "cpu/shared_pages.h"
#include "ops/common.h"

#if defined(__linux__)
#include <sys/mman.h>
#endif

namespace ftwt::cpu {
namespace {
std::atomic<std::size_t> live_blocks{0};
}  // namespace

void* allocate_aligned(std::size_t bytes) noexcept {
  void* memory = nullptr;
  const std::size_t alignment = bytes >= kHugePage ? kHugePage : kBlockAlignment;
  if (posix_memalign(&memory, alignment, bytes > 0 ? bytes : 1) != 0) return nullptr;
#if defined(__linux__) && defined(MADV_HUGEPAGE)
  if (bytes >= kHugePage) madvise(memory, bytes, MADV_HUGEPAGE);
#endif
  return memory;
}

void* require_aligned(std::size_t bytes) {
  if (void* memory = allocate_aligned(bytes)) return memory;
  throw Error(ErrorCode::OutOfMemory, "Cannot allocate " + std::to_string(bytes) + " bytes of host memory");
}

void* allocate_block(std::size_t bytes) {
  void* block = allocate_in_shared_pages(bytes);
  if (block == nullptr) block = require_aligned(bytes);
  live_blocks.fetch_add(1, std::memory_order_relaxed);
  return block;
}

void free_block(void* block) noexcept {
  live_blocks.fetch_sub(1, std::memory_order_relaxed);
  if (!free_in_shared_pages(block)) std::free(block);
}

std::size_t live_block_count() noexcept { return live_blocks.load(std::memory_order_relaxed); }

}  // namespace ftwt::cpu
