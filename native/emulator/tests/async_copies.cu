// cp.async: what arrives when, and that a missing wait shows.
#include "emulator/tests/runner.h"

namespace ftwt::emulator::tests {

namespace {

constexpr int kThreads = 32;

template <int kFloats>
__global__ void copy_through_shared(const float* x, float* y, int source_bytes) {
  FTWT_SHARED(float, tile, [kThreads][kFloats]);
  cuda::cp_async<kFloats * 4>(tile[threadIdx.x], x + threadIdx.x * kFloats, source_bytes);
  cuda::cp_async_commit();
  cuda::cp_async_wait<0>();
  for (int i = 0; i < kFloats; ++i) y[threadIdx.x * kFloats + i] = tile[threadIdx.x][i];
}

template <int kFloats>
void check_copy(int source_bytes) {
  std::vector<float> x(kThreads * kFloats);
  for (size_t i = 0; i < x.size(); ++i) x[i] = static_cast<float>(i + 1);
  const Array<float> from(x), to(x.size());
  run(copy_through_shared<kFloats>, 1, kThreads, from.data(), to.data(), source_bytes);
  const auto y = to.get();
  for (int i = 0; i < kThreads * kFloats; ++i) check_equal(y[i], i % kFloats * 4 < source_bytes ? x[i] : 0.0f);
}

TEST(cp_async_copies_and_fills_with_zeros) {
  check_copy<1>(4);
  check_copy<1>(0);
  check_copy<2>(8);
  check_copy<2>(4);
  check_copy<4>(16);
  check_copy<4>(12);
}

// y: what a thread sees of two groups after waiting for the first, then for both.
__global__ void wait_in_steps(const int* x, int* y) {
  FTWT_SHARED(int, tile, [2]);
  if (threadIdx.x > 0) return;
  tile[0] = tile[1] = -1;
  cuda::cp_async<4>(&tile[0], x);
  cuda::cp_async_commit();
  cuda::cp_async<4>(&tile[1], x + 1);
  cuda::cp_async_commit();
  y[0] = tile[0];
  cuda::cp_async_wait<1>();
  y[1] = tile[0];
  y[2] = tile[1];
  cuda::cp_async_wait<0>();
  y[3] = tile[1];
}

TEST(cp_async_before_the_wait_is_poison) {
  const Array<int> x(std::vector<int>{11, 22}), y(4);
  run(wait_in_steps, 1, 32, x.data(), y.data());
  const std::vector<int> expected{0x7fa57fa5, 11, 0x7fa57fa5, 22};
  const auto values = y.get();
  for (int i = 0; i < 4; ++i) check_equal(values[i], expected[i], "value " + std::to_string(i));
}

__global__ void wait_without_commit(const int* x, int* y) {
  FTWT_SHARED(int, tile, [1]);
  cuda::cp_async<4>(tile, x);
  cuda::cp_async_wait<0>();
  *y = tile[0];
}

TEST(cp_async_without_commit_never_arrives) {
  const Array<int> x(std::vector<int>{11}), y(1);
  run(wait_without_commit, 1, 1, x.data(), y.data());
  check_equal(y.get()[0], 0x7fa57fa5);
}

__global__ void copy_from_odd_address(const int* x) {
  FTWT_SHARED(int, tile, [4]);
  cuda::cp_async<16>(tile, x + 1);
}

TEST(cp_async_needs_aligned_addresses) {
  const Array<int> x(8);
  check_contains(failure_of([&] { run(copy_from_odd_address, 1, 1, x.data()); }), "not a multiple");
}

}  // namespace

}  // namespace ftwt::emulator::tests
