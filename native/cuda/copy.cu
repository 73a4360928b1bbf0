// Copies between strided arrays: 8 bytes per element. A thread per element in the order of the nest, whose innermost
// dimension is contiguous in y wherever tfjs's kernels use it: stores coalesce, the strided loads of a transpose are
// served by the L2 cache (each line is read by neighbouring warps).
#include "ops/copy.h"

#include "cuda/context.h"
#include "cuda/device.cuh"
#include "cuda/strided.cuh"

namespace ftwt::cuda {
namespace {

constexpr int kThreads = 256;

__global__ void __launch_bounds__(kThreads) copy_kernel(const float* x, float* y, uint32_t count, DeviceNest nest) {
  const uint32_t i = blockIdx.x * kThreads + threadIdx.x;
  if (i >= count) return;
  int64_t x_offset, y_offset;
  nest.offsets(i, &x_offset, &y_offset);
  y[y_offset] = x[x_offset];
}

}  // namespace

void copy(const CopyParams& p) {
  const int64_t count = p.dims.count();
  if (count == 0) return;
  const auto blocks = static_cast<unsigned>((count + kThreads - 1) / kThreads);
  launch(copy_kernel, dim3(blocks), dim3(kThreads), 0, current_stream(), p.x, p.y, static_cast<uint32_t>(count),
         DeviceNest(p.dims));
}

}  // namespace ftwt::cuda
