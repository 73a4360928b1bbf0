#include "cuda/runtime.h"

#include <cuda_runtime.h>

namespace ftwt::cuda {

DeviceList list_devices() {
  DeviceList list{true, "", {}};
  int count = 0;
  cudaError_t status = cudaGetDeviceCount(&count);
  for (int i = 0; status == cudaSuccess && i < count; ++i) {
    cudaDeviceProp properties;
    status = cudaGetDeviceProperties(&properties, i);
    if (status != cudaSuccess) break;
    list.devices.push_back({i, properties.name, properties.major, properties.minor, properties.totalGlobalMem,
                            properties.multiProcessorCount});
  }
  if (status != cudaSuccess) {
    cudaGetLastError();  // clears it
    list.devices.clear();
    list.reason = std::string(cudaGetErrorName(status)) + ": " + cudaGetErrorString(status);
  } else if (count == 0) {
    list.reason = "the CUDA driver reports no device";
  }
  return list;
}

}  // namespace ftwt::cuda
