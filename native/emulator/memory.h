// Allocations: one exact malloc each, so that AddressSanitizer sees the first element beyond, full of poison.
#pragma once
#include <cstddef>

#include "emulator/api.h"

struct CUmemPoolHandle_st {
  int device;
  size_t release_threshold = 0;  // bytes that stay reserved when the host waits
  size_t used = 0, used_high = 0;
  size_t reserved = 0, reserved_high = 0;
};

namespace ftwt::emulator {

struct Allocation {
  size_t bytes;
  bool on_device;  // else page-locked host memory
  int device;
  cudaMemPool_t pool;  // nullptr: cudaMalloc
  bool freeing;        // given to cudaFreeAsync, which has not run
};

void* allocate(size_t bytes, const Allocation& kind);
void release(void* memory);

// The allocation that holds `memory`, and its beginning; nullptr if there is none.
struct Place {
  char* begin;
  Allocation* allocation;
};
Place find_allocation(const void* memory);

// Whether all bytes lie in one allocation of a device.
bool is_on_device(const void* memory, size_t bytes);

// Bytes of the device that are taken by cudaMalloc and reserved by pools.
size_t memory_in_use(int device);
size_t memory_reserved_by_pools(int device);

// Pools give back what exceeds their release threshold: what CUDA does when the host waits.
void release_unused_memory(int device);

}  // namespace ftwt::emulator
