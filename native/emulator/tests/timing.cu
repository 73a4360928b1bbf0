// What a switch between fibers costs: far below a microsecond, or whole networks could not be tested.
#include <chrono>
#include <cstdio>

#include "emulator/tests/runner.h"

namespace ftwt::emulator::tests {

namespace {

constexpr int kThreads = 256, kBarriers = 10, kBlocks = 200;

__global__ void only_barriers(int count) {
  for (int i = 0; i < count; ++i) __syncthreads();
}

double microseconds_per_block(int barriers) {
  const auto start = std::chrono::steady_clock::now();
  run(only_barriers, kBlocks, kThreads, barriers);
  const std::chrono::duration<double, std::micro> elapsed = std::chrono::steady_clock::now() - start;
  return elapsed.count() / kBlocks;
}

TEST(switches_are_cheap) {
  microseconds_per_block(kBarriers);  // creates the fibers
  const double without = microseconds_per_block(0), with = microseconds_per_block(kBarriers);
  const double nanoseconds = (with - without) * 1000 / (kThreads * kBarriers);
  std::printf("# block of %d threads: %.1f us, with %d barriers %.1f us: %.1f ns a switch\n", kThreads, without,
              kBarriers, with, nanoseconds);
  check(nanoseconds < 5000);
}

}  // namespace

}  // namespace ftwt::emulator::tests
