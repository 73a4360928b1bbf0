// CUDA_CHECK(expression): throws an Error where a call of the runtime failed.
#pragma once
#include <cuda_runtime.h>

#include <string>

#include "ops/common.h"

namespace ftwt::cuda {

inline void check_status(cudaError_t status, const char* expression) {
  if (status == cudaSuccess) return;
  const std::string message =
      std::string(cudaGetErrorName(status)) + ": " + cudaGetErrorString(status) + " (" + expression + ")";
  cudaGetLastError();  // clears it, so that the next call starts clean
  const ErrorCode code = status == cudaErrorMemoryAllocation                                    ? ErrorCode::OutOfMemory
                         : status == cudaErrorNoDevice || status == cudaErrorInsufficientDriver ? ErrorCode::NoDevice
                                                                                                : ErrorCode::CudaError;
  throw Error(code, message);
}

}  // namespace ftwt::cuda

#define CUDA_CHECK(expression) ::ftwt::cuda::check_status((expression), #expression)
