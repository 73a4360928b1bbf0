// CUDA_CHECK(cudaMalloc(&p, bytes)) throws ftwt::Error where the call fails.
#pragma once
#include <cuda_runtime.h>

#include "ops/common.h"

#define CUDA_CHECK(expression) ::ftwt::cuda::check((expression), #expression)

namespace ftwt::cuda {

inline ErrorCode error_code_of(cudaError_t status) {
  switch (status) {
    case cudaErrorMemoryAllocation: return ErrorCode::OutOfMemory;
    case cudaErrorNoDevice:
    case cudaErrorInsufficientDriver: return ErrorCode::NoDevice;
    default: return ErrorCode::CudaError;
  }
}

inline void check(cudaError_t status, const char* expression) {
  if (status == cudaSuccess) return;
  const std::string message = std::string(cudaGetErrorName(status)) + ": " + cudaGetErrorString(status);
  cudaGetLastError();  // or the next launch would report this error as its own
  throw Error(error_code_of(status), message + " (" + expression + ")");
}

}  // namespace ftwt::cuda
