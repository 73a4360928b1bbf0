// Kernels: what a launch may ask for, and running a grid block by block.
#include <algorithm>
#include <map>

#include "emulator/block.h"
#include "emulator/device.h"
#include "emulator/error.h"
#include "emulator/launch.h"
#include "emulator/shared_memory.h"
#include "emulator/stream.h"

namespace ftwt::emulator {

namespace {

// By kernel: what cudaFuncSetAttribute allowed.
std::map<const void*, size_t>& raised_limits() {
  static auto* instance = new std::map<const void*, size_t>;
  return *instance;
}

size_t dynamic_limit(const void* kernel) {
  const auto found = raised_limits().find(kernel);
  return found == raised_limits().end() ? kStaticSharedLimit : std::max(found->second, kStaticSharedLimit);
}

void require_valid(const LaunchShape& shape) {
  constexpr unsigned kMaxGrid = 65535;
  const auto [grid, threads] = std::pair(shape.grid, shape.block);
  require(grid.x >= 1 && grid.y >= 1 && grid.z >= 1 && grid.x <= 0x7fffffff && grid.y <= kMaxGrid && grid.z <= kMaxGrid,
          cudaErrorInvalidConfiguration);
  require(threads.x >= 1 && threads.y >= 1 && threads.z >= 1 && threads.x <= kMaxThreads && threads.y <= kMaxThreads &&
              threads.z <= 64 && uint64_t{threads.x} * threads.y * threads.z <= kMaxThreads,
          cudaErrorInvalidConfiguration);
}

void run_grid(const LaunchShape& shape, const std::function<void()>& body) {
  allocate_dynamic_shared(shape.shared_bytes);
  const uint64_t plane = uint64_t{shape.grid.x} * shape.grid.y, count = plane * shape.grid.z;
  const Permutation order(count);
  for (uint64_t i = 0; i < count; ++i) {
    const uint64_t index = order[i];
    const uint3 at{static_cast<unsigned>(index % shape.grid.x), static_cast<unsigned>(index % plane / shape.grid.x),
                   static_cast<unsigned>(index / plane)};
    block().run({shape.grid, shape.block, at}, body);
  }
}

}  // namespace

void enqueue_kernel(const void* kernel, const LaunchShape& shape, cudaStream_t handle, std::function<void()> body) {
  api([&] {
    require_no_failure();
    require_valid(shape);
    require(shape.shared_bytes <= dynamic_limit(kernel));
    CUstream_st& stream = stream_of(handle);
    require(stream.device == current_device(), cudaErrorInvalidResourceHandle);
    stream.push({[shape, body = std::move(body)] { run_grid(shape, body); }});
  });
}

}  // namespace ftwt::emulator

using namespace ftwt::emulator;

cudaError_t cudaFuncSetAttribute(const void* kernel, cudaFuncAttribute attribute, int value) {
  return api([&] {
    require(kernel != nullptr, cudaErrorInvalidDeviceFunction);
    if (attribute == cudaFuncAttributePreferredSharedMemoryCarveout) return;
    require(attribute == cudaFuncAttributeMaxDynamicSharedMemorySize && value >= 0 &&
            static_cast<size_t>(value) <= kDynamicSharedLimit);
    raised_limits()[kernel] = static_cast<size_t>(value);
  });
}

cudaError_t cudaFuncGetAttributes(cudaFuncAttributes* attributes, const void* kernel) {
  return api([&] {
    require(kernel != nullptr, cudaErrorInvalidDeviceFunction);
    *attributes = {};
    attributes->maxThreadsPerBlock = kMaxThreads;
    attributes->numRegs = 64;
    attributes->maxDynamicSharedSizeBytes = static_cast<int>(dynamic_limit(kernel));
  });
}

// By threads and shared memory; registers are unknown here.
cudaError_t cudaOccupancyMaxActiveBlocksPerMultiprocessor(int* blocks, const void* kernel, int block_size,
                                                          size_t shared_bytes) {
  return api([&] {
    require(blocks != nullptr && block_size > 0);
    constexpr int kMaxBlocks = 32, kMaxResidentThreads = 2048;
    constexpr size_t kSharedMemory = 228 << 10, kReserved = 1 << 10;
    const bool fits = block_size <= kMaxThreads && shared_bytes <= dynamic_limit(kernel);
    const int by_shared = static_cast<int>(kSharedMemory / (shared_bytes + kReserved));
    *blocks = fits ? std::min({kMaxBlocks, kMaxResidentThreads / block_size, by_shared}) : 0;
  });
}
