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
constexpr std::size_t kHugePage = std::size_t{2} << 20;
std::atomic<std::size_t> live_blocks{0};
}  // namespace

void* allocate_block(std::size_t bytes) {
  if (void* block = allocate_in_shared_pages(bytes)) {
    live_blocks.fetch_add(1, std::memory_order_relaxed);
    return block;
  }
  const std::size_t alignment = bytes >= kHugePage ? kHugePage : kBlockAlignment;
  void* block = nullptr;
  if (posix_memalign(&block, alignment, bytes) != 0) {
    throw Error(ErrorCode::OutOfMemory, "Cannot allocate " + std::to_string(bytes) + " bytes of host memory");
  }
#if defined(__linux__) && defined(MADV_HUGEPAGE)
  if (bytes >= kHugePage) madvise(block, bytes, MADV_HUGEPAGE);
#endif
  live_blocks.fetch_add(1, std::memory_order_relaxed);
  return block;
}

void free_block(void* block) noexcept {
  live_blocks.fetch_sub(1, std::memory_order_relaxed);
  if (!free_in_shared_pages(block)) std::free(block);
}

std::size_t live_block_count() noexcept { return live_blocks.load(std::memory_order_relaxed); }

}  // namespace ftwt::cpu
