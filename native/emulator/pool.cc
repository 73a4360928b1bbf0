// Memory pools: the accounts of CUDA's, without its reuse of blocks, so that every use after a free is seen.
#include <algorithm>
#include <array>
#include <list>

#include "emulator/device.h"
#include "emulator/error.h"
#include "emulator/memory.h"
#include "emulator/stream.h"

namespace ftwt::emulator {

namespace {

struct Pools {
  std::array<CUmemPoolHandle_st, kMaxDevices> defaults;
  std::list<CUmemPoolHandle_st> created;
  Pools() {
    for (int device = 0; device < kMaxDevices; ++device) defaults[device].device = device;
  }
};

Pools& pools() {
  static auto* instance = new Pools;
  return *instance;
}

auto find_created(cudaMemPool_t handle) {
  auto& created = pools().created;
  return std::find_if(created.begin(), created.end(), [&](const auto& pool) { return &pool == handle; });
}

CUmemPoolHandle_st& pool_of(cudaMemPool_t handle) {
  for (CUmemPoolHandle_st& pool : pools().defaults) {
    if (&pool == handle) return pool;
  }
  const auto found = find_created(handle);
  require(found != pools().created.end());
  return *found;
}

template <class Visit>
void for_each_pool(int device, Visit visit) {
  visit(pools().defaults[device]);
  for (CUmemPoolHandle_st& pool : pools().created) {
    if (pool.device == device) visit(pool);
  }
}

bool fits(const CUmemPoolHandle_st& pool, size_t bytes) {
  const size_t others = memory_in_use(pool.device) - pool.reserved;
  return others <= memory_limit() && pool.used <= memory_limit() - others &&
         bytes <= memory_limit() - others - pool.used;
}

void* allocate_from(CUmemPoolHandle_st& pool, size_t bytes, CUstream_st& stream) {
  require(!stream.capture, cudaErrorStreamCaptureUnsupported);
  if (bytes == 0) return nullptr;
  // Memory that this stream has freed is there for it without a wait.
  if (!fits(pool, bytes)) stream.ticket().complete();
  require(fits(pool, bytes), cudaErrorMemoryAllocation);
  void* memory = allocate(bytes, {bytes, true, pool.device, &pool, false});
  pool.used += bytes;
  pool.reserved = std::max(pool.reserved, pool.used);
  pool.used_high = std::max(pool.used_high, pool.used);
  pool.reserved_high = std::max(pool.reserved_high, pool.reserved);
  return memory;
}

void keep_at_most(CUmemPoolHandle_st& pool, size_t bytes) {
  pool.reserved = std::min(pool.reserved, std::max(pool.used, bytes));
}

uint64_t attribute_of(const CUmemPoolHandle_st& pool, cudaMemPoolAttr attribute) {
  switch (attribute) {
    case cudaMemPoolAttrReleaseThreshold: return pool.release_threshold;
    case cudaMemPoolAttrReservedMemCurrent: return pool.reserved;
    case cudaMemPoolAttrReservedMemHigh: return pool.reserved_high;
    case cudaMemPoolAttrUsedMemCurrent: return pool.used;
    case cudaMemPoolAttrUsedMemHigh: return pool.used_high;
    default: refuse(cudaErrorInvalidValue);
  }
}

void set_attribute(CUmemPoolHandle_st& pool, cudaMemPoolAttr attribute, const void* value) {
  switch (attribute) {
    case cudaMemPoolAttrReleaseThreshold: pool.release_threshold = *static_cast<const uint64_t*>(value); break;
    // High-water marks can be set back, to nothing but 0.
    case cudaMemPoolAttrReservedMemHigh:
      require(*static_cast<const uint64_t*>(value) == 0);
      pool.reserved_high = pool.reserved;
      break;
    case cudaMemPoolAttrUsedMemHigh:
      require(*static_cast<const uint64_t*>(value) == 0);
      pool.used_high = pool.used;
      break;
    // How blocks are reused: they never are.
    case cudaMemPoolReuseFollowEventDependencies:
    case cudaMemPoolReuseAllowOpportunistic:
    case cudaMemPoolReuseAllowInternalDependencies: break;
    default: refuse(cudaErrorInvalidValue);
  }
}

}  // namespace

size_t memory_reserved_by_pools(int device) {
  size_t bytes = 0;
  for_each_pool(device, [&](const CUmemPoolHandle_st& pool) { bytes += pool.reserved; });
  return bytes;
}

void release_unused_memory(int device) {
  for_each_pool(device, [](CUmemPoolHandle_st& pool) { keep_at_most(pool, pool.release_threshold); });
}

}  // namespace ftwt::emulator

using namespace ftwt::emulator;

cudaError_t cudaDeviceGetDefaultMemPool(cudaMemPool_t* pool, int device) {
  return api([&] {
    require(device >= 0 && device < device_count(), cudaErrorInvalidDevice);
    *pool = &pools().defaults[device];
  });
}

cudaError_t cudaMemPoolCreate(cudaMemPool_t* pool, const cudaMemPoolProps* properties) {
  return api([&] {
    require(pool != nullptr && properties != nullptr && properties->allocType == cudaMemAllocationTypePinned &&
            properties->location.type == cudaMemLocationTypeDevice && properties->location.id >= 0 &&
            properties->location.id < device_count());
    pools().created.push_back({.device = properties->location.id});
    *pool = &pools().created.back();
  });
}

cudaError_t cudaMemPoolDestroy(cudaMemPool_t pool) {
  return api([&] {
    const auto found = find_created(pool);
    // CUDA would keep it until its last allocation is freed; here that is a mistake to be seen.
    require(found != pools().created.end() && found->used == 0);
    pools().created.erase(found);
  });
}

cudaError_t cudaMemPoolSetAttribute(cudaMemPool_t pool, cudaMemPoolAttr attribute, void* value) {
  return api([&] { set_attribute(pool_of(pool), attribute, value); });
}

cudaError_t cudaMemPoolGetAttribute(cudaMemPool_t pool, cudaMemPoolAttr attribute, void* value) {
  return api([&] { *static_cast<uint64_t*>(value) = attribute_of(pool_of(pool), attribute); });
}

cudaError_t cudaMemPoolTrimTo(cudaMemPool_t pool, size_t bytes_to_keep) {
  return api([&] { keep_at_most(pool_of(pool), bytes_to_keep); });
}

cudaError_t cudaMallocFromPoolAsync(void** memory, size_t bytes, cudaMemPool_t pool, cudaStream_t stream) {
  return api([&] {
    require(memory != nullptr);
    require_no_failure();
    *memory = nullptr;
    *memory = allocate_from(pool_of(pool), bytes, stream_of(stream));
  });
}

cudaError_t cudaMallocAsync(void** memory, size_t bytes, cudaStream_t stream) {
  return api([&] {
    require(memory != nullptr);
    require_no_failure();
    *memory = nullptr;
    CUstream_st& queue = stream_of(stream);
    *memory = allocate_from(pools().defaults[queue.device], bytes, queue);
  });
}

cudaError_t cudaFreeAsync(void* memory, cudaStream_t handle) {
  return api([&] {
    if (memory == nullptr) return;
    CUstream_st& stream = stream_of(handle);
    require(!stream.capture, cudaErrorStreamCaptureUnsupported);
    const Place place = find_allocation(memory);
    require(place.allocation && place.begin == memory && place.allocation->pool && !place.allocation->freeing);
    place.allocation->freeing = true;
    stream.push({[memory] { release(memory); }, true});
  });
}
