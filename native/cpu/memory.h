// Large, aligned blocks for tensors and sessions. Page faults dominate otherwise: the backend recycles blocks
// (src/backend/pool.ts), and blocks of at least 2 MiB ask for huge pages.
#pragma once
#include <cstddef>
#include <vector>

namespace ftwt::cpu {

constexpr std::size_t kBlockAlignment = 64;
constexpr std::size_t kHugePage = std::size_t{2} << 20;

void* allocate_block(std::size_t bytes);  // uninitialised, 64-byte aligned; throws OutOfMemory
void free_block(void* block) noexcept;
std::size_t live_block_count() noexcept;  // for leak tests

// What blocks are made of, for std::free; nullptr where there is no memory. From kHugePage bytes on it starts at such a
// boundary.
void* allocate_aligned(std::size_t bytes) noexcept;
// The same; throws OutOfMemory.
void* require_aligned(std::size_t bytes);

template <typename T>
struct BlockAllocator {
  using value_type = T;
  BlockAllocator() = default;
  template <typename U>
  BlockAllocator(const BlockAllocator<U>&) {}
  T* allocate(std::size_t count) { return static_cast<T*>(allocate_block(count * sizeof(T))); }
  void deallocate(T* block, std::size_t) noexcept { free_block(block); }
  bool operator==(const BlockAllocator&) const { return true; }
};

using Floats = std::vector<float, BlockAllocator<float>>;

}  // namespace ftwt::cpu
