// How the runtime's functions refuse: inside, they throw; at the border, that becomes a code.
#pragma once
#include <string>

#include "emulator/api.h"
#include "emulator/lock.h"

namespace ftwt::emulator {

struct Refusal {
  cudaError_t code;
};

[[noreturn]] inline void refuse(cudaError_t code) { throw Refusal{code}; }
inline void require(bool condition, cudaError_t code = cudaErrorInvalidValue) {
  if (!condition) refuse(code);
}

// A kernel has failed. Until cudaGetLastError, work on every device is refused or skipped, as after a fault on a GPU.
void set_failure(const std::string& message);
bool has_failed();
void require_no_failure();

// True while a function given to cudaLaunchHostFunc runs on this thread: it may not call CUDA.
extern thread_local bool in_host_function;

cudaError_t record_error(cudaError_t code) noexcept;
cudaError_t code_of_current_exception() noexcept;

// The body of a runtime function.
template <class Body>
cudaError_t api(Body&& body) noexcept {
  if (in_host_function) return record_error(cudaErrorNotPermitted);
  try {
    const Lock lock;
    body();
    return cudaSuccess;
  } catch (...) {
    return record_error(code_of_current_exception());
  }
}

}  // namespace ftwt::emulator
