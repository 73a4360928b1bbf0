// Barriers of a block: what they order, and how their misuse is reported.
#include "emulator/control.h"
#include "emulator/tests/runner.h"

namespace ftwt::emulator::tests {

namespace {

constexpr int kThreads = 256;

__global__ void reverse_block(const int* x, int* y) {
  FTWT_SHARED(int, tile, [kThreads]);
  const int i = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
  tile[threadIdx.x] = x[i];
  __syncthreads();
  y[i] = tile[blockDim.x - 1 - threadIdx.x];
}

TEST(barrier_orders_shared_memory) {
  constexpr int kBlocks = 3;
  std::vector<int> x(kBlocks * kThreads);
  for (size_t i = 0; i < x.size(); ++i) x[i] = static_cast<int>(i * i);
  const Array<int> from(x), to(x.size());
  run(reverse_block, kBlocks, kThreads, from.data(), to.data());
  const std::vector<int> y = to.get();
  for (int i = 0; i < kBlocks * kThreads; ++i) {
    const int opposite = i / kThreads * kThreads + kThreads - 1 - i % kThreads;
    check_equal(y[i], x[opposite], "element " + std::to_string(i));
  }
}

__global__ void reverse_without_barrier(int* y) {
  FTWT_SHARED(int, tile, [kThreads]);
  tile[threadIdx.x] = static_cast<int>(threadIdx.x);
  y[threadIdx.x] = tile[blockDim.x - 1 - threadIdx.x];
}

TEST(missing_barrier_shows_in_every_order) {
  const Array<int> y(kThreads);
  run(reverse_without_barrier, 1, kThreads, y.data());
  bool right = true;
  const std::vector<int> values = y.get();
  for (int i = 0; i < kThreads; ++i) right = right && values[i] == kThreads - 1 - i;
  check(!right, "the result is right without a barrier");
}

__global__ void sum_in_tree(const int* x, int* y) {
  FTWT_SHARED(int, sums, [kThreads]);
  sums[threadIdx.x] = x[threadIdx.x];
  for (unsigned half = kThreads / 2; half > 0; half /= 2) {
    __syncthreads();
    if (threadIdx.x < half) sums[threadIdx.x] += sums[threadIdx.x + half];
  }
  if (threadIdx.x == 0) *y = sums[0];
}

TEST(barriers_in_a_loop) {
  std::vector<int> x(kThreads);
  for (int i = 0; i < kThreads; ++i) x[i] = i;
  const Array<int> from(x), to(1);
  run(sum_in_tree, 1, kThreads, from.data(), to.data());
  check_equal(to.get()[0], kThreads * (kThreads - 1) / 2);
}

__global__ void count_predicates(int* y) {
  const bool odd = threadIdx.x % 2;
  const int count = __syncthreads_count(odd), all = __syncthreads_and(odd), any = __syncthreads_or(odd);
  const int none = __syncthreads_or(0), every = __syncthreads_and(1);
  y[threadIdx.x] = count * 10000 + all * 1000 + any * 100 + none * 10 + every;
}

TEST(barriers_combine_predicates) {
  const Array<int> y(33);
  run(count_predicates, 1, 33, y.data());
  for (const int value : y.get()) check_equal(value, 16 * 10000 + 0 * 1000 + 100 + 0 + 1);
}

constexpr int kFirstLine = __LINE__ + 3;
__global__ void diverge(int from) {
  if (static_cast<int>(threadIdx.x) < from) {
    __syncthreads();
  } else {
    __syncthreads();
  }
}

TEST(divergent_barrier_names_both_lines) {
  const std::string message = failure_of([] { run(diverge, dim3(2, 1), 96, 40); });
  check_contains(message, "cudaErrorLaunchFailure");
  check_contains(message, "40 threads at __syncthreads at barriers.cu:" + std::to_string(kFirstLine));
  check_contains(message, "56 threads at __syncthreads at barriers.cu:" + std::to_string(kFirstLine + 2));
  check_contains(message, "of 96 threads");
  check_contains(message, "in block (");
  run(diverge, 1, 96, 0);  // the failed block's fibers are used again
}

constexpr int kOnlyLine = __LINE__ + 3;
__global__ void leave_early(int count) {
  if (static_cast<int>(threadIdx.x) >= count) return;
  __syncthreads();
}

TEST(barrier_that_some_threads_never_reach) {
  const std::string message = failure_of([] { run(leave_early, 1, dim3(8, 8), 5); });
  check_contains(message, "40 threads at __syncthreads at barriers.cu:" + std::to_string(kOnlyLine));
  check_contains(message, "24 threads finished");
}

__global__ void recurse_and_diverge(int depth, int* y) {
  volatile char locals[64] = {};
  locals[depth % 64] = static_cast<char>(depth);
  if (depth > 0) return recurse_and_diverge(depth - 1, y);
  if (threadIdx.x != 7) __syncthreads();
  y[threadIdx.x] = locals[0];
}

TEST(stacks_are_reused_after_failures) {
  const Array<int> x(std::vector<int>(kThreads, 3)), y(kThreads);
  for (int i = 0; i < 20; ++i) {
    failure_of([&] { run(recurse_and_diverge, 1, kThreads, i, y.data()); });
    run(reverse_block, 1, kThreads, x.data(), y.data());
    check_equal(y.get()[i], 3);
  }
}

__global__ void throw_from(unsigned thread, int* y) {
  FTWT_SHARED(int, value);
  if (threadIdx.x == 0) value = 1;
  __syncthreads();
  if (threadIdx.x == thread) throw std::runtime_error("thrown on purpose");
  y[threadIdx.x] = value;
}

TEST(exception_ends_the_kernel) {
  const Array<int> y(kThreads);
  check_contains(failure_of([&] { run(throw_from, 4, kThreads, 100u, y.data()); }), "thrown on purpose");
  run(throw_from, 1, kThreads, 1000u, y.data());
  check_equal(y.get()[100], 1);
}

__global__ void read_shared_of_the_block_before(int* y) {
  FTWT_SHARED(int, value);
  if (threadIdx.x == 0) y[blockIdx.x] = value;
  __syncthreads();
  value = 1;
}

TEST(shared_memory_is_poisoned_for_every_block) {
  const Array<int> y(4);
  run(read_shared_of_the_block_before, 4, 32, y.data());
  for (const int value : y.get()) check_equal(value, 0x7fa57fa5);
}

__global__ void note_order(int* order, int* next) {
  order[(*next)++] = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
  __syncthreads();
}

std::vector<int> order_under(Order chosen, uint64_t seed) {
  set_schedule(chosen, seed);
  const Array<int> order(12), next(std::vector<int>{0});
  run(note_order, 3, 4, order.data(), next.data());
  return order.get();
}

__global__ void run_ahead(int* order, int* next) {
  for (int step = 0; step < 2; ++step) {
    __syncwarp();
    if (threadIdx.x % 32 == 0) order[(*next)++] = static_cast<int>(threadIdx.x) / 32;
  }
}

TEST(depth_lets_a_warp_run_ahead) {
  for (const Order chosen : {Order::Forward, Order::Depth}) {
    set_schedule(chosen);
    const Array<int> order(4), next(std::vector<int>{0});
    run(run_ahead, 1, 64, order.data(), next.data());
    set_schedule_from_environment();
    const std::vector<int> steps = order.get();  // the warp that takes a step
    check_equal(steps[0] == steps[1], chosen == Order::Depth);
  }
}

TEST(schedules_decide_the_order) {
  const auto forward = order_under(Order::Forward, 0), reverse = order_under(Order::Reverse, 0);
  const auto random = order_under(Order::Random, 5), same_seed = order_under(Order::Random, 5);
  const auto other_seed = order_under(Order::Random, 6);
  set_schedule_from_environment();
  for (int i = 0; i < 12; ++i) {
    check_equal(forward[i], i);
    check_equal(reverse[i], 11 - i);
  }
  check(random == same_seed, "one seed, two orders");
  check(random != forward && random != other_seed, "random is no order of its own");
}

}  // namespace

}  // namespace ftwt::emulator::tests
