// Allocations, their accounts and limits, pools, copies.
#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#endif

#include <cmath>

#include "emulator/control.h"
#include "emulator/tests/runner.h"

namespace ftwt::emulator::tests {

namespace {

constexpr size_t kMegabyte = 1 << 20;

// A device of the given size until the end of the test.
class MemoryLimit {
 public:
  explicit MemoryLimit(size_t bytes) {
    size_t free_bytes;
    CUDA_CHECK(cudaMemGetInfo(&free_bytes, &before_));
    set_memory_limit(bytes);
  }
  ~MemoryLimit() { set_memory_limit(before_); }

 private:
  size_t before_;
};

__global__ void copy_elements(const float* x, float* y, int count) {
  const int i = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
  if (i < count) y[i] = x[i];
}

TEST(memory_that_nothing_has_written_is_nan) {
  const Array<float> x(100), y(100);
  run(copy_elements, 4, 32, x.data(), y.data(), 100);
  for (const float value : y.get()) check(std::isnan(value));
  check_equal(Array<int>(3).get()[2], 0x7fa57fa5);
}

TEST(allocations_are_aligned_and_counted) {
  size_t before, after, total;
  CUDA_CHECK(cudaMemGetInfo(&before, &total));
  {
    const Array<char> odd(1001);
    check_equal(reinterpret_cast<uintptr_t>(odd.data()) % 256, 0u);
    CUDA_CHECK(cudaMemGetInfo(&after, &total));
    check_equal(before - after, 1001u);
  }
  CUDA_CHECK(cudaMemGetInfo(&after, &total));
  check_equal(after, before);
}

TEST(memory_is_limited) {
  const MemoryLimit limit(kMegabyte);
  const Array<char> most(kMegabyte - 100);
  try {
    const Array<char> more(101);
    check(false, "more than the device has");
  } catch (const Error& error) {
    check(error.code == ErrorCode::OutOfMemory);
    check_contains(error.what(), "cudaErrorMemoryAllocation: out of memory (");
  }
  const Array<char> rest(100);
}

TEST(frees_of_what_is_no_allocation_are_refused) {
  int local = 0;
  check_equal(cudaFree(&local), cudaErrorInvalidValue);
  const Array<int> array(4);
  check_equal(cudaFree(array.data() + 1), cudaErrorInvalidValue);
  check_equal(cudaFreeHost(array.data()), cudaErrorInvalidValue);
  check_equal(cudaFreeAsync(array.data(), nullptr), cudaErrorInvalidValue);
  check_equal(cudaFree(nullptr), cudaSuccess);
  check_equal(cudaGetLastError(), cudaErrorInvalidValue);
  check_equal(cudaGetLastError(), cudaSuccess);
}

TEST(copies_are_checked) {
  const Array<int> x(4), y(4);
  int host[8] = {};
  check_equal(cudaMemcpy(x.data(), host, 5 * sizeof(int), cudaMemcpyHostToDevice), cudaErrorInvalidValue);
  check_equal(cudaMemcpy(host, x.data() + 1, 4 * sizeof(int), cudaMemcpyDeviceToHost), cudaErrorInvalidValue);
  check_equal(cudaMemcpy(host, host + 4, 4 * sizeof(int), cudaMemcpyHostToDevice), cudaErrorInvalidValue);
  check_equal(cudaMemcpy(x.data(), y.data(), 16, cudaMemcpyHostToDevice), cudaErrorInvalidValue);
  check_equal(cudaMemset(x.data(), 0, 17), cudaErrorInvalidValue);
  cudaGetLastError();
  host[0] = 42;
  CUDA_CHECK(cudaMemcpy(x.data(), host, 16, cudaMemcpyDefault));
  CUDA_CHECK(cudaMemcpy(y.data(), x.data(), 16, cudaMemcpyDeviceToDevice));
  CUDA_CHECK(cudaMemset(y.data() + 1, 0xff, 4));
  check_equal(y.get()[0], 42);
  check_equal(y.get()[1], -1);
}

TEST(pointers_are_known) {
  const Array<int> array(4);
  int* pinned = nullptr;
  int local = 0;
  CUDA_CHECK(cudaHostAlloc(&pinned, 64, cudaHostAllocDefault));
  const auto type_of = [](const void* memory) {
    cudaPointerAttributes attributes;
    CUDA_CHECK(cudaPointerGetAttributes(&attributes, memory));
    return attributes.type;
  };
  check_equal(type_of(array.data() + 3), cudaMemoryTypeDevice);
  check_equal(type_of(pinned), cudaMemoryTypeHost);
  check_equal(type_of(&local), cudaMemoryTypeUnregistered);
  CUDA_CHECK(cudaFreeHost(pinned));
}

// ---- Pools
// --------------------------------------------------------------------------------------------------------------

class Pool {
 public:
  Pool() {
    cudaMemPoolProps properties{};
    properties.allocType = cudaMemAllocationTypePinned;
    properties.location = {cudaMemLocationTypeDevice, 0};
    CUDA_CHECK(cudaMemPoolCreate(&pool_, &properties));
  }
  ~Pool() { cudaMemPoolDestroy(pool_); }

  cudaMemPool_t get() const { return pool_; }
  uint64_t read(cudaMemPoolAttr attribute) const {
    uint64_t value = 0;
    CUDA_CHECK(cudaMemPoolGetAttribute(pool_, attribute, &value));
    return value;
  }
  void keep(uint64_t bytes) { CUDA_CHECK(cudaMemPoolSetAttribute(pool_, cudaMemPoolAttrReleaseThreshold, &bytes)); }
  void* allocate(size_t bytes) {
    void* memory = nullptr;
    CUDA_CHECK(cudaMallocFromPoolAsync(&memory, bytes, pool_, nullptr));
    return memory;
  }

 private:
  cudaMemPool_t pool_ = nullptr;
};

TEST(pool_counts_what_is_used_and_reserved) {
  Pool pool;
  pool.keep(300);
  void* const first = pool.allocate(1000);
  void* const second = pool.allocate(500);
  check_equal(pool.read(cudaMemPoolAttrUsedMemCurrent), 1500u);
  CUDA_CHECK(cudaFreeAsync(first, nullptr));
  check_equal(pool.read(cudaMemPoolAttrUsedMemCurrent), 1500u, "before the wait");
  CUDA_CHECK(cudaFreeAsync(second, nullptr));
  CUDA_CHECK(cudaStreamSynchronize(nullptr));
  check_equal(pool.read(cudaMemPoolAttrUsedMemCurrent), 0u);
  check_equal(pool.read(cudaMemPoolAttrUsedMemHigh), 1500u);
  check_equal(pool.read(cudaMemPoolAttrReservedMemCurrent), 300u, "kept by the release threshold");
  check_equal(pool.read(cudaMemPoolAttrReservedMemHigh), 1500u);
  CUDA_CHECK(cudaMemPoolTrimTo(pool.get(), 100));
  check_equal(pool.read(cudaMemPoolAttrReservedMemCurrent), 100u);
  uint64_t zero = 0;
  CUDA_CHECK(cudaMemPoolSetAttribute(pool.get(), cudaMemPoolAttrUsedMemHigh, &zero));
  check_equal(pool.read(cudaMemPoolAttrUsedMemHigh), 0u);
}

TEST(reserved_memory_is_taken_from_the_device_until_trimmed) {
  const MemoryLimit limit(kMegabyte);
  Pool pool;
  pool.keep(kMegabyte);
  CUDA_CHECK(cudaFreeAsync(pool.allocate(kMegabyte), nullptr));
  CUDA_CHECK(cudaDeviceSynchronize());
  char* memory = nullptr;
  check_equal(cudaMalloc(&memory, 1), cudaErrorMemoryAllocation);
  cudaGetLastError();
  CUDA_CHECK(cudaMemPoolTrimTo(pool.get(), 0));
  CUDA_CHECK(cudaMalloc(&memory, 1));
  CUDA_CHECK(cudaFree(memory));
}

TEST(stream_allocates_what_it_has_freed) {
  const MemoryLimit limit(kMegabyte);
  Pool pool;
  void* memory = pool.allocate(kMegabyte);
  for (int i = 0; i < 5; ++i) {
    CUDA_CHECK(cudaFreeAsync(memory, nullptr));
    memory = pool.allocate(kMegabyte);
  }
  CUDA_CHECK(cudaFreeAsync(memory, nullptr));
  check_equal(cudaFreeAsync(memory, nullptr), cudaErrorInvalidValue, "freed twice");
  cudaGetLastError();
  CUDA_CHECK(cudaDeviceSynchronize());
}

TEST(default_pool_exists) {
  cudaMemPool_t pool = nullptr;
  CUDA_CHECK(cudaDeviceGetDefaultMemPool(&pool, 0));
  uint64_t used = 0;
  float* memory = nullptr;
  CUDA_CHECK(cudaMallocAsync(&memory, 4000, nullptr));
  CUDA_CHECK(cudaMemPoolGetAttribute(pool, cudaMemPoolAttrUsedMemCurrent, &used));
  check_equal(used, 4000u);
  CUDA_CHECK(cudaFree(memory));
  CUDA_CHECK(cudaMemPoolGetAttribute(pool, cudaMemPoolAttrUsedMemCurrent, &used));
  check_equal(used, 0u);
}

}  // namespace

}  // namespace ftwt::emulator::tests
