// What a test may set of the emulator, and the failure it reports.
#pragma once
#include <cstddef>
#include <cstdint>
#include <stdexcept>

namespace ftwt::emulator {

// A kernel broke a rule of CUDA: divergent barrier, bad lane mask, too much shared memory, a copy beyond an allocation.
// The runtime call that waits for the kernel returns cudaErrorLaunchFailure, and cudaGetErrorString has the message.
struct Failure : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// The order in which the blocks of a grid, and the threads of a block that could run next, are run.
// Depth: who became ready last runs first, so that one warp runs as far ahead of the others as barriers let it.
// Environment: FTWT_EMULATOR_SCHEDULE = forward | reverse | random[:seed] | depth.
enum class Order { Forward, Reverse, Random, Depth };
void set_schedule(Order order, uint64_t seed = 0);
void set_schedule_from_environment();  // as at the start

// Bytes that each device pretends to have. Environment: FTWT_EMULATOR_MEMORY.
void set_memory_limit(size_t bytes);

// Environment: FTWT_EMULATOR_CAPABILITY, e.g. 7.5. The default is 9.0.
void set_compute_capability(int major, int minor);

}  // namespace ftwt::emulator
