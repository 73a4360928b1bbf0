#include "emulator/memory.h"

#include <array>
#include <cstdint>
#include <cstdlib>
#include <map>
#include <new>

#include "emulator/device.h"
#include "emulator/error.h"
#include "emulator/graph.h"
#include "emulator/poison.h"
#include "emulator/stream.h"

namespace ftwt::emulator {

namespace {

constexpr size_t kAlignment = 256;  // what cudaMalloc promises

std::map<uintptr_t, Allocation>& allocations() {
  static auto* instance = new std::map<uintptr_t, Allocation>;
  return *instance;
}

std::array<size_t, kMaxDevices> plain_bytes{};  // of cudaMalloc, by device

// Frees memory that the whole device may still be using, as cudaFree and cudaFreeHost wait for it.
void free_after_work(void* memory, bool on_device) {
  if (memory == nullptr) return;
  refuse_in_any_capture();
  const Place place = find_allocation(memory);
  require(place.allocation && place.begin == memory && place.allocation->on_device == on_device &&
          !place.allocation->freeing);
  for (int device = 0; device < device_count(); ++device) {
    if (on_device && device != place.allocation->device) continue;
    try {
      wait_for_device(device);
    } catch (const Refusal&) {
      // The failure stays for a call that can report it; the memory is freed all the same.
    }
  }
  release(memory);
}

}  // namespace

void* allocate(size_t bytes, const Allocation& kind) {
  void* memory = nullptr;
  if (posix_memalign(&memory, kAlignment, bytes) != 0) throw std::bad_alloc();
  poison(memory, bytes);
  allocations()[reinterpret_cast<uintptr_t>(memory)] = kind;
  if (kind.on_device && kind.pool == nullptr) plain_bytes[kind.device] += bytes;
  return memory;
}

void release(void* memory) {
  const auto found = allocations().find(reinterpret_cast<uintptr_t>(memory));
  const Allocation& allocation = found->second;
  if (allocation.pool) {
    allocation.pool->used -= allocation.bytes;
  } else if (allocation.on_device) {
    plain_bytes[allocation.device] -= allocation.bytes;
  }
  poison(memory, allocation.bytes);
  asm volatile("" : : "r"(memory) : "memory");  // or the writes before free() are dropped
  allocations().erase(found);
  std::free(memory);
}

Place find_allocation(const void* memory) {
  const auto address = reinterpret_cast<uintptr_t>(memory);
  auto found = allocations().upper_bound(address);
  if (found == allocations().begin()) return {nullptr, nullptr};
  --found;
  if (address - found->first >= found->second.bytes) return {nullptr, nullptr};
  return {reinterpret_cast<char*>(found->first), &found->second};
}

bool is_on_device(const void* memory, size_t bytes) {
  const Place place = find_allocation(memory);
  if (!place.allocation || !place.allocation->on_device) return false;
  return bytes <= place.allocation->bytes - static_cast<size_t>(static_cast<const char*>(memory) - place.begin);
}

size_t memory_in_use(int device) { return plain_bytes[device] + memory_reserved_by_pools(device); }

}  // namespace ftwt::emulator

using namespace ftwt::emulator;

cudaError_t cudaMalloc(void** memory, size_t bytes) {
  return api([&] {
    require(memory != nullptr);
    require_no_failure();
    refuse_in_any_capture();
    const int device = current_device();
    *memory = nullptr;
    if (bytes == 0) return;
    const size_t in_use = memory_in_use(device);
    require(in_use <= memory_limit() && bytes <= memory_limit() - in_use, cudaErrorMemoryAllocation);
    *memory = allocate(bytes, {bytes, true, device, nullptr, false});
  });
}

cudaError_t cudaFree(void* memory) {
  return api([&] { free_after_work(memory, true); });
}

cudaError_t cudaHostAlloc(void** memory, size_t bytes, unsigned) {
  return api([&] {
    require(memory != nullptr);
    refuse_in_any_capture();
    *memory = bytes == 0 ? nullptr : allocate(bytes, {bytes, false, current_device(), nullptr, false});
  });
}

cudaError_t cudaMallocHost(void** memory, size_t bytes, unsigned flags) { return cudaHostAlloc(memory, bytes, flags); }

cudaError_t cudaFreeHost(void* memory) {
  return api([&] { free_after_work(memory, false); });
}

cudaError_t cudaMemGetInfo(size_t* free_bytes, size_t* total_bytes) {
  return api([&] {
    const size_t in_use = memory_in_use(current_device());
    *total_bytes = memory_limit();
    *free_bytes = in_use < memory_limit() ? memory_limit() - in_use : 0;
  });
}

cudaError_t cudaPointerGetAttributes(cudaPointerAttributes* attributes, const void* memory) {
  return api([&] {
    const Allocation* allocation = find_allocation(memory).allocation;
    void* address = const_cast<void*>(memory);
    if (allocation == nullptr) {
      *attributes = {cudaMemoryTypeUnregistered, -1, nullptr, address};
    } else if (allocation->on_device) {
      *attributes = {cudaMemoryTypeDevice, allocation->device, address, nullptr};
    } else {
      *attributes = {cudaMemoryTypeHost, allocation->device, address, address};
    }
  });
}
