// Large, aligned blocks for tensors. Page faults dominate otherwise: the backend recycles blocks (src/backend/pool.ts),
// and blocks of at least 2 MiB ask for huge pages.
#pragma once
#include <cstddef>

namespace ftwt::cpu {

constexpr std::size_t kBlockAlignment = 64;

void* allocate_block(std::size_t bytes);  // uninitialised, 64-byte aligned; throws OutOfMemory
void free_block(void* block) noexcept;
std::size_t live_block_count() noexcept;  // for leak tests

}  // namespace ftwt::cpu
