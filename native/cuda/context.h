// For kernels' launchers: where to launch, and memory that lives as long as the launch.
#pragma once
#include <cuda_runtime.h>

#include <cstddef>

#include "cuda/check.h"
#include "cuda/runtime.h"
#include "ops/common.h"

namespace ftwt::cuda {

// The context in use on this thread (UseContext in cuda/runtime.h), and its stream.
Context& current_context();
cudaStream_t current_stream();

// What launchers decide by.
struct DeviceLimits {
  int compute_capability;  // 90 for 9.0
  int multiprocessors;
  int shared_bytes_per_block;  // with the opt-in
};
const DeviceLimits& current_limits();
Precision current_precision();

// Scratch in stream order: free for others when the launches that were queued before its end have run. From the pool of
// the context, or while a UseScratch (cuda/recording.h) lives on this thread, from there.
class DeviceBuffer {
 public:
  explicit DeviceBuffer(std::size_t bytes);
  ~DeviceBuffer();
  DeviceBuffer(const DeviceBuffer&) = delete;
  DeviceBuffer& operator=(const DeviceBuffer&) = delete;

  template <typename T>
  T* as() const {
    return static_cast<T*>(data_);
  }

 private:
  void* data_;
  std::size_t scratch_bytes_;  // 0: of the pool
};

}  // namespace ftwt::cuda
