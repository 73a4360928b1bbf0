// What a launch may ask for, shared memory, and the rest of what kernels can call.
#include <cuda_bf16.h>
#include <cuda_fp16.h>

#include <cmath>

#include "emulator/control.h"
#include "emulator/tests/runner.h"

namespace ftwt::emulator::tests {

namespace {

__global__ void note_position(unsigned* y) {
  const unsigned block = blockIdx.x + gridDim.x * (blockIdx.y + gridDim.y * blockIdx.z);
  const unsigned thread = threadIdx.x + blockDim.x * (threadIdx.y + blockDim.y * threadIdx.z);
  y[block * blockDim.x * blockDim.y * blockDim.z + thread] = block * 1000 + thread;
}

TEST(every_thread_of_a_grid_runs_once) {
  const Array<unsigned> y(2 * 3 * 4 * 5 * 6 * 7);
  run(note_position, dim3(2, 3, 4), dim3(5, 6, 7), y.data());
  const auto values = y.get();
  for (unsigned i = 0; i < values.size(); ++i) check_equal(values[i], i / 210 * 1000 + i % 210);
}

__global__ void nothing() {}

std::string refusal(dim3 grid, dim3 block, size_t shared_bytes = 0) {
  return failure_of([&] { cuda::launch(nothing, grid, block, shared_bytes, nullptr); });
}

TEST(launches_beyond_the_limits_are_refused) {
  for (const dim3 block : {dim3(1025), dim3(1, 1, 65), dim3(33, 32), dim3(0)}) {
    check_contains(refusal(1, block), "cudaErrorInvalidConfiguration");
  }
  for (const dim3 grid : {dim3(0), dim3(1, 65536), dim3(1, 1, 65536), dim3(0x80000000u)}) {
    check_contains(refusal(grid, 32), "cudaErrorInvalidConfiguration");
  }
  cuda::launch(nothing, dim3(1, 65535), dim3(1, 1, 64), 0, nullptr);
  CUDA_CHECK(cudaDeviceSynchronize());
}

__global__ void fill_dynamic(int count, int* y) {
  int* tile = cuda::dynamic_shared<int>();
  if (threadIdx.x == 0) *y = tile[count - 1];
  __syncthreads();
  for (int i = static_cast<int>(threadIdx.x); i < count; i += static_cast<int>(blockDim.x)) tile[i] = i;
}

TEST(dynamic_shared_memory_is_poisoned_and_limited) {
  constexpr size_t kMore = 100 << 10;
  const Array<int> y(1);
  const auto use = [&](size_t bytes) {
    cuda::launch(fill_dynamic, 2, 64, bytes, nullptr, static_cast<int>(bytes / 4), y.data());
  };
  use(48 << 10);
  check_equal(y.get()[0], 0x7fa57fa5);
  check_contains(failure_of([&] { use(kMore); }), "cudaErrorInvalidValue");
  CUDA_CHECK(cudaFuncSetAttribute(fill_dynamic, cudaFuncAttributeMaxDynamicSharedMemorySize, kMore));
  use(kMore);
  check_equal(y.get()[0], 0x7fa57fa5);
  check(cudaFuncSetAttribute(fill_dynamic, cudaFuncAttributeMaxDynamicSharedMemorySize, 228 << 10) != cudaSuccess);
  cudaGetLastError();
}

__global__ void too_many_arrays() {
  FTWT_SHARED(int, first, [6 << 10]);
  FTWT_SHARED(int, second, [(6 << 10) + 1]);
  first[0] = second[0] = 0;
}

TEST(static_shared_memory_is_limited) {
  check_contains(failure_of([] { run(too_many_arrays, 1, 1); }), "49156 bytes");
}

TEST(occupancy_is_plausible) {
  int blocks = 0;
  CUDA_CHECK(cudaOccupancyMaxActiveBlocksPerMultiprocessor(&blocks, nothing, 256, 0));
  check_equal(blocks, 8);
  CUDA_CHECK(cudaOccupancyMaxActiveBlocksPerMultiprocessor(&blocks, nothing, 32, 48 << 10));
  check_equal(blocks, 4);
}

__global__ void change_atomically(int* whole, float* real, unsigned long long* wide) {
  const int thread = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
  atomicAdd(&whole[0], thread);
  atomicMax(&whole[1], thread);
  atomicMin(&whole[2], -thread);
  atomicCAS(&whole[3], 0, 7);  // the first that comes
  if (atomicExch(&whole[4], thread + 1) == 0) atomicAdd(&whole[5], 1);
  atomicOr(&whole[6], 1 << thread % 8);
  atomicAdd(real, 0.5f);
  atomicAdd(wide, 1ull << 32);
}

TEST(atomics) {
  const Array<int> whole(std::vector<int>(7, 0));
  const Array<float> real(std::vector<float>(1, 0));
  const Array<unsigned long long> wide(std::vector<unsigned long long>(1, 0));
  run(change_atomically, 4, 64, whole.data(), real.data(), wide.data());
  const auto values = whole.get();
  const int last = values[4];
  check(last >= 1 && last <= 256, "exchanged");
  const std::vector<int> expected{255 * 128, 255, -255, 7, last, 1, 255};
  for (int i = 0; i < 7; ++i) check_equal(values[i], expected[i], "value " + std::to_string(i));
  check_equal(real.get()[0], 128.0f);
  check_equal(wide.get()[0], 256ull << 32);
}

TEST(bits_and_conversions) {
  check_equal(__popc(0xf0f0u), 8);
  check_equal(__clz(1), 31);
  check_equal(__clz(0), 32);
  check_equal(__ffs(8), 4);
  check_equal(__ffs(0), 0);
  check_equal(__brev(1u), 0x80000000u);
  check_equal(__float_as_int(1.0f), 0x3f800000);
  check_equal(__float2int_rz(-1.9f), -1);
  check_equal(__float2int_rn(2.5f), 2);
  check_equal(__float2int_rz(NAN), 0);
  check_equal(min(3, 4u), 3u);
  check_equal(max(int64_t{5}, 4), int64_t{5});
  check_equal(max(NAN, 1.0f), 1.0f);
  check_equal(rsqrtf(4.0f), 0.5f);
  check_equal(__saturatef(NAN), 0.0f);
}

TEST(half_precision) {
  // All halves that are numbers survive the way to float and back.
  for (unsigned bits = 0; bits < 0x10000; ++bits) {
    if ((bits & 0x7fff) > 0x7c00) continue;
    const __half half = __ushort_as_half(static_cast<unsigned short>(bits));
    check_equal(__half_as_ushort(__float2half(__half2float(half))), static_cast<unsigned short>(bits));
  }
  check_equal(__half2float(__ushort_as_half(0x3555)), 0.333251953125f);
  check_equal(__half2float(__float2half(1.0f + 0x1p-11f)), 1.0f);                // tie to even
  check_equal(__half2float(__float2half(1.0f + 3 * 0x1p-11f)), 1.0f + 0x1p-9f);  // tie to even
  check_equal(__half_as_ushort(__float2half(65520.0f)), static_cast<unsigned short>(0x7c00));
  check_equal(__half_as_ushort(__float2half(0x1p-24f)), static_cast<unsigned short>(1));
  check(std::isnan(__half2float(__float2half(NAN))));
}

TEST(bfloat16) {
  check_equal(__bfloat162float(__float2bfloat16(1.0f + 0x1p-8f)), 1.0f);  // tie to even
  check_equal(__bfloat162float(__float2bfloat16(1.0f + 3 * 0x1p-8f)), 1.0f + 0x1p-6f);
  check_equal(__bfloat16_as_ushort(__float2bfloat16(INFINITY)), static_cast<unsigned short>(0x7f80));
  check(std::isnan(__bfloat162float(__float2bfloat16(NAN))));
}

TEST(compute_capability_can_be_chosen) {
  cudaDeviceProp properties;
  CUDA_CHECK(cudaGetDeviceProperties(&properties, 0));
  const int major = properties.major, minor = properties.minor;
  check(std::string(properties.name) == "CUDA emulator");
  set_compute_capability(7, 5);
  int value = 0;
  CUDA_CHECK(cudaDeviceGetAttribute(&value, cudaDevAttrComputeCapabilityMajor, 0));
  set_compute_capability(major, minor);
  check_equal(value, 7);
}

}  // namespace

}  // namespace ftwt::emulator::tests
