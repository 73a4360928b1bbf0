// __shared__ arrays: statics that hold poison when a block first reaches them, and one dynamic buffer.
#pragma once
#include <cstddef>
#include <cstdint>

namespace ftwt::emulator {

constexpr size_t kStaticSharedLimit = 48 << 10;
constexpr size_t kDynamicSharedLimit = 227 << 10;

// `serial` belongs to the array: the last block that reached it.
void reach_shared(void* array, size_t bytes, uint64_t& serial);

void* dynamic_shared_memory();

// For every grid, and for every block of it.
void allocate_dynamic_shared(size_t bytes);
void begin_shared_memory();

}  // namespace ftwt::emulator
