// Warp collectives: what each lane gets, and how wrong masks are reported.
#include "emulator/tests/runner.h"

namespace ftwt::emulator::tests {

namespace {

constexpr unsigned kAll = 0xffffffffu;
constexpr int kPoisonedInt = 0x7fa57fa5;

enum class Kind { Index, Up, Down, Xor };

template <class T>
__global__ void shuffle_lanes(Kind kind, unsigned mask, int argument, int width, T* y) {
  const int lane = static_cast<int>(threadIdx.x);
  if (!(mask >> lane & 1)) return;
  const T value = static_cast<T>(100 + lane);
  switch (kind) {
    case Kind::Index: y[lane] = __shfl_sync(mask, value, argument, width); break;
    case Kind::Up: y[lane] = __shfl_up_sync(mask, value, static_cast<unsigned>(argument), width); break;
    case Kind::Down: y[lane] = __shfl_down_sync(mask, value, static_cast<unsigned>(argument), width); break;
    case Kind::Xor: y[lane] = __shfl_xor_sync(mask, value, argument, width); break;
  }
}

template <class T>
std::vector<T> shuffled(Kind kind, unsigned mask, int argument, int width) {
  const Array<T> y(std::vector<T>(32, T{0}));
  run(shuffle_lanes<T>, 1, 32, kind, mask, argument, width, y.data());
  return y.get();
}

TEST(shuffle_by_index) {
  for (const int value : shuffled<int>(Kind::Index, kAll, 5, 32)) check_equal(value, 105);
  // The index counts modulo the width, within each segment.
  const auto eights = shuffled<int>(Kind::Index, kAll, 11, 8);
  for (int lane = 0; lane < 32; ++lane) check_equal(eights[lane], 100 + lane / 8 * 8 + 3);
}

TEST(shuffle_up_keeps_its_own_value_below_the_segment) {
  const auto y = shuffled<float>(Kind::Up, kAll, 3, 16);
  for (int lane = 0; lane < 32; ++lane) check_equal(y[lane], 100.0f + (lane % 16 < 3 ? lane : lane - 3));
}

TEST(shuffle_down_keeps_its_own_value_beyond_the_segment) {
  const auto y = shuffled<double>(Kind::Down, kAll, 2, 4);
  for (int lane = 0; lane < 32; ++lane) check_equal(y[lane], 100.0 + (lane % 4 < 2 ? lane + 2 : lane));
}

TEST(shuffle_xor_reaches_earlier_segments_only) {
  const auto whole = shuffled<unsigned>(Kind::Xor, kAll, 16, 32);
  for (int lane = 0; lane < 32; ++lane) check_equal(whole[lane], 100u + (lane ^ 16));
  const auto eights = shuffled<int64_t>(Kind::Xor, kAll, 8, 8);
  for (int lane = 0; lane < 32; ++lane) check_equal(eights[lane], 100 + (lane & 8 ? lane ^ 8 : lane));
}

TEST(shuffle_from_a_lane_outside_the_mask_is_poison) {
  const auto y = shuffled<int>(Kind::Down, 0x0000000f, 1, 32);
  check_equal(y[2], 103);
  check_equal(y[3], kPoisonedInt);
  check_equal(y[4], 0);
}

__global__ void two_halves(int* y) {
  const int lane = static_cast<int>(threadIdx.x);
  // Both halves are under way at once.
  if (lane < 16) {
    for (int step = 1; step < 16; step *= 2) y[lane] += __shfl_xor_sync(0x0000ffffu, y[lane], step);
  } else {
    for (int step = 1; step < 16; step *= 2) y[lane] += __shfl_xor_sync(0xffff0000u, y[lane], step);
  }
}

TEST(disjoint_masks_do_not_meet) {
  std::vector<int> x(32);
  for (int lane = 0; lane < 32; ++lane) x[lane] = lane;
  const Array<int> y(x);
  run(two_halves, 1, 32, y.data());
  const auto sums = y.get();
  for (int lane = 0; lane < 32; ++lane) check_equal(sums[lane], lane < 16 ? 120 : 376);
}

__global__ void vote_on(unsigned pattern, unsigned mask, unsigned* y) {
  const unsigned lane = threadIdx.x % 32;
  if (!(mask >> lane & 1)) return;
  const int predicate = static_cast<int>(pattern >> lane & 1);
  y[threadIdx.x * 3] = __ballot_sync(mask, predicate);
  y[threadIdx.x * 3 + 1] = static_cast<unsigned>(__any_sync(mask, predicate));
  y[threadIdx.x * 3 + 2] = static_cast<unsigned>(__all_sync(mask, predicate));
}

void check_votes(unsigned pattern, unsigned mask, unsigned ballot, bool any, bool all) {
  const Array<unsigned> y(64 * 3);
  run(vote_on, 1, 64, pattern, mask, y.data());
  const auto votes = y.get();
  for (int thread = 0; thread < 64; ++thread) {
    if (!(mask >> thread % 32 & 1)) continue;
    check_equal(votes[thread * 3], ballot);
    check_equal(votes[thread * 3 + 1], any);
    check_equal(votes[thread * 3 + 2], all);
  }
}

TEST(votes) {
  check_votes(0x80000001u, kAll, 0x80000001u, true, false);
  check_votes(0x80000001u, 0x80000001u, 0x80000001u, true, true);
  check_votes(0x80000001u, 0x0ff0u, 0, false, false);
}

__global__ void reduce_lanes(int* y) {
  const int lane = static_cast<int>(threadIdx.x);
  y[0] = __reduce_add_sync(kAll, lane - 16);
  y[1] = __reduce_min_sync(kAll, lane - 16);
  y[2] = __reduce_max_sync(kAll, lane - 16);
  y[3] = static_cast<int>(__reduce_max_sync(kAll, static_cast<unsigned>(lane - 16)));
  y[4] = static_cast<int>(__reduce_or_sync(kAll, 1u << lane % 4));
  y[5] = static_cast<int>(__reduce_xor_sync(kAll, lane == 3 ? 6u : 0u));
  y[6] = static_cast<int>(__popc(__activemask()));
}

TEST(reductions) {
  const Array<int> y(7);
  run(reduce_lanes, 1, 32, y.data());
  const std::vector<int> expected{-16, -16, 15, -1, 15, 6, 1};
  const auto values = y.get();
  for (int i = 0; i < 7; ++i) check_equal(values[i], expected[i], "value " + std::to_string(i));
}

__global__ void exchange_through_shared(int* y) {
  FTWT_SHARED(int, slots, [64]);
  const int thread = static_cast<int>(threadIdx.x), neighbour = thread / 32 * 32 + (thread + 1) % 32;
  slots[thread] = thread;
  __syncwarp();
  y[thread] = slots[neighbour];
}

TEST(syncwarp_orders_shared_memory) {
  const Array<int> y(64);
  run(exchange_through_shared, 1, 64, y.data());
  const auto values = y.get();
  for (int i = 0; i < 64; ++i) check_equal(values[i], i / 32 * 32 + (i + 1) % 32);
}

// ---- Misuse
// -------------------------------------------------------------------------------------------------------------

constexpr int kMaskLine = __LINE__ + 2;
__global__ void shuffle_without_me() {
  if (threadIdx.x == 3) __shfl_sync(0xfffffff7u, 1, 0);
}

TEST(lane_must_be_in_its_mask) {
  const std::string message = failure_of([] { run(shuffle_without_me, 1, 32); });
  check_contains(message, "__shfl_sync at warps.cu:" + std::to_string(kMaskLine) + " with mask 0xfffffff7");
  check_contains(message, "lane 3 is not in its mask");
}

constexpr int kExitedLine = __LINE__ + 3;
__global__ void shuffle_with_the_exited() {
  if (threadIdx.x == 5) return;
  __syncwarp();
}

TEST(mask_must_not_name_a_finished_lane) {
  const std::string message = failure_of([] { run(shuffle_with_the_exited, 1, 32); });
  check_contains(message, "31 threads at __syncwarp at warps.cu:" + std::to_string(kExitedLine));
  check_contains(message, "but lane 5 has finished");
}

TEST(mask_must_not_name_a_lane_beyond_the_block) {
  const Array<int> y(64);
  check_contains(failure_of([&] { run(exchange_through_shared, 1, 40, y.data()); }), "but lane 8 does not exist");
}

constexpr int kKindsLine = __LINE__ + 3;
__global__ void different_kinds() {
  if (threadIdx.x < 16) {
    __ballot_sync(0xffffffffu, 1);
  } else {
    __shfl_sync(0xffffffffu, 1, 0);
  }
}

TEST(lanes_of_one_mask_must_meet_in_one_collective) {
  const std::string message = failure_of([] { run(different_kinds, 1, 32); });
  check_contains(message, "16 threads at __ballot_sync at warps.cu:" + std::to_string(kKindsLine));
  check_contains(message, "16 threads at __shfl_sync at warps.cu:" + std::to_string(kKindsLine + 2));
}

__global__ void barrier_against_collective() {
  if (threadIdx.x == 0) {
    __syncthreads();
  } else {
    __syncwarp();
  }
}

TEST(deadlock_of_barrier_and_collective) {
  const std::string message = failure_of([] { run(barrier_against_collective, 1, 32); });
  check_contains(message, "1 thread at __syncthreads");
  check_contains(message, "31 threads at __syncwarp");
  check_contains(message, "but lane 0 is elsewhere");
}

}  // namespace

}  // namespace ftwt::emulator::tests
