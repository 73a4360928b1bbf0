// y[i] = f(i): the frame of every element-wise kernel.
//
// A block covers kMapThreads * kMapPerThread neighbours; a thread first computes all of its elements, then stores them,
// so that their loads are in flight together (16 KB per SM are needed to keep HBM3 busy). Limit: memory.
#pragma once
#include <type_traits>

#include "cuda/context.h"
#include "cuda/device.cuh"

namespace ftwt::cuda {

constexpr int kMapThreads = 256;
constexpr int kMapPerThread = 4;

template <typename Out, typename Function>
__global__ void __launch_bounds__(kMapThreads) map_kernel(Out* y, int64_t count, Function function) {
  const int64_t first = static_cast<int64_t>(blockIdx.x) * (kMapThreads * kMapPerThread) + threadIdx.x;
  Out values[kMapPerThread];
#pragma unroll
  for (int k = 0; k < kMapPerThread; ++k) {
    const int64_t i = first + k * kMapThreads;
    if (i < count) values[k] = function(i);
  }
#pragma unroll
  for (int k = 0; k < kMapPerThread; ++k) {
    const int64_t i = first + k * kMapThreads;
    if (i < count) y[i] = values[k];
  }
}

// `function` is a struct with `__device__ Out operator()(int64_t i) const`. y may be one of its inputs.
template <typename Out, typename Function>
void map(Out* y, int64_t count, const Function& function) {
  static_assert(std::is_arithmetic_v<Out>, "what nvcc deduces without a body is void");
  if (count == 0) return;
  constexpr int64_t kPerBlock = kMapThreads * kMapPerThread;
  const auto blocks = static_cast<unsigned>((count + kPerBlock - 1) / kPerBlock);
  launch(map_kernel<Out, Function>, dim3(blocks), dim3(kMapThreads), 0, current_stream(), y, count, function);
}

}  // namespace ftwt::cuda
