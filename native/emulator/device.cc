#include "emulator/device.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "emulator/api.h"
#include "emulator/block.h"
#include "emulator/control.h"
#include "emulator/error.h"
#include "emulator/shared_memory.h"

namespace ftwt::emulator {

namespace {

constexpr size_t kDefaultMemory = size_t{8} << 30;
constexpr int kCudaVersion = 13000;
// An SM of compute capability 9.0.
constexpr int kMultiprocessors = 16;

std::string setting(const char* name, const char* otherwise) {
  const char* value = std::getenv(name);
  return value ? value : otherwise;
}

struct Settings {
  int devices = std::clamp(std::atoi(setting("FTWT_EMULATOR_DEVICES", "1").c_str()), 0, kMaxDevices);
  size_t memory = std::strtoull(setting("FTWT_EMULATOR_MEMORY", "0").c_str(), nullptr, 10);
  int major = 9, minor = 0;

  Settings() {
    if (memory == 0) memory = kDefaultMemory;
    const std::string capability = setting("FTWT_EMULATOR_CAPABILITY", "");
    if (!capability.empty()) std::sscanf(capability.c_str(), "%d.%d", &major, &minor);
  }
};

Settings& settings() {
  static Settings instance;
  return instance;
}

thread_local int chosen_device = 0;

void require_device(int device) { require(device >= 0 && device < device_count(), cudaErrorInvalidDevice); }

cudaDeviceProp properties_of(int device) {
  cudaDeviceProp p{};
  std::snprintf(p.name, sizeof p.name, device == 0 ? "CUDA emulator" : "CUDA emulator %d", device);
  p.major = settings().major;
  p.minor = settings().minor;
  p.totalGlobalMem = settings().memory;
  p.multiProcessorCount = kMultiprocessors;
  p.warpSize = kWarpSize;
  p.maxThreadsPerBlock = kMaxThreads;
  p.maxThreadsPerMultiProcessor = 2048;
  for (int i = 0; i < 3; ++i) p.maxThreadsDim[i] = i < 2 ? 1024 : 64;
  for (int i = 0; i < 3; ++i) p.maxGridSize[i] = i < 1 ? 0x7fffffff : 65535;
  p.sharedMemPerBlock = kStaticSharedLimit;
  p.sharedMemPerBlockOptin = kDynamicSharedLimit;
  p.reservedSharedMemPerBlock = 1 << 10;
  p.sharedMemPerMultiprocessor = 228 << 10;
  p.regsPerBlock = p.regsPerMultiprocessor = 65536;
  p.l2CacheSize = 50 << 20;
  p.memoryPoolsSupported = p.concurrentKernels = p.asyncEngineCount = p.unifiedAddressing = 1;
  return p;
}

int attribute_of(const cudaDeviceProp& p, cudaDeviceAttr attribute) {
  switch (attribute) {
    case cudaDevAttrMaxThreadsPerBlock: return p.maxThreadsPerBlock;
    case cudaDevAttrMaxSharedMemoryPerBlock: return static_cast<int>(p.sharedMemPerBlock);
    case cudaDevAttrWarpSize: return p.warpSize;
    case cudaDevAttrMultiProcessorCount: return p.multiProcessorCount;
    case cudaDevAttrMaxThreadsPerMultiProcessor: return p.maxThreadsPerMultiProcessor;
    case cudaDevAttrComputeCapabilityMajor: return p.major;
    case cudaDevAttrComputeCapabilityMinor: return p.minor;
    case cudaDevAttrMaxSharedMemoryPerMultiprocessor: return static_cast<int>(p.sharedMemPerMultiprocessor);
    case cudaDevAttrMaxSharedMemoryPerBlockOptin: return static_cast<int>(p.sharedMemPerBlockOptin);
    case cudaDevAttrMemoryPoolsSupported: return p.memoryPoolsSupported;
  }
  refuse(cudaErrorInvalidValue);
}

}  // namespace

int device_count() { return settings().devices; }

int current_device() {
  require(device_count() > 0, cudaErrorNoDevice);
  return chosen_device;
}

size_t memory_limit() { return settings().memory; }

void set_memory_limit(size_t bytes) {
  const Lock lock;
  settings().memory = bytes;
}

void set_compute_capability(int major, int minor) {
  const Lock lock;
  settings().major = major;
  settings().minor = minor;
}

}  // namespace ftwt::emulator

using namespace ftwt::emulator;

cudaError_t cudaGetDeviceCount(int* count) {
  return api([&] {
    *count = device_count();
    require(*count > 0, cudaErrorNoDevice);
  });
}

cudaError_t cudaGetDeviceProperties(cudaDeviceProp* properties, int device) {
  return api([&] {
    require_device(device);
    *properties = properties_of(device);
  });
}

cudaError_t cudaDeviceGetAttribute(int* value, cudaDeviceAttr attribute, int device) {
  return api([&] {
    require_device(device);
    *value = attribute_of(properties_of(device), attribute);
  });
}

cudaError_t cudaSetDevice(int device) {
  return api([&] {
    require_device(device);
    chosen_device = device;
  });
}

cudaError_t cudaGetDevice(int* device) {
  return api([&] { *device = current_device(); });
}

cudaError_t cudaDriverGetVersion(int* version) {
  return api([&] { *version = kCudaVersion; });
}

cudaError_t cudaRuntimeGetVersion(int* version) {
  return api([&] { *version = kCudaVersion; });
}
