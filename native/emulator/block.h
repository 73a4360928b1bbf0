// The block that is running: its threads, its barrier and its warps.
//
// Every CUDA thread is a fiber, but a fiber that finishes a thread goes on to the next thread that has not started, on
// the same stack: a kernel without barriers costs no switches. A thread that must wait hands over to the next one that
// can run. Whoever arrives last at a barrier or a warp collective makes all of them ready. Where no thread can run
// and some still wait, they wait in vain: every misuse of barriers and lane masks ends there and is reported once, with
// the places where the threads stand.
#pragma once
#include <array>
#include <cstdint>
#include <functional>
#include <source_location>
#include <string>
#include <vector>

#include "emulator/async_copy.h"
#include "emulator/fiber.h"
#include "emulator/schedule.h"
#include "emulator/vector_types.h"

namespace ftwt::emulator {

constexpr int kWarpSize = 32;
constexpr int kMaxThreads = 1024;

// Where and for what a thread waits.
struct Site {
  const char* what = nullptr;  // the intrinsic
  std::source_location where;
  uint32_t mask = 0;  // of lanes; 0 at a barrier of the block
  bool operator==(const Site& other) const {
    return what == other.what && mask == other.mask && where.line() == other.where.line() &&
           where.column() == other.where.column() && where.file_name() == other.where.file_name();
  }
};

struct Thread {
  enum class State : uint8_t { Ready, Waiting, Finished };
  uint3 index;  // threadIdx
  int id;       // linear
  State state;
  Fiber* fiber;  // nullptr before it starts and after it finishes
  Site site;     // while waiting
  AsyncCopies copies;
};

// The operands of a warp collective: one payload for every lane of the mask.
struct Lanes {
  uint32_t mask;
  void* const* payload;
  bool has(int lane) const { return mask >> lane & 1; }
};

struct GridPosition {
  dim3 grid_dim, block_dim;
  uint3 block_index;
};

class Block {
 public:
  // Runs every thread of the block at `position`; throws Failure.
  void run(const GridPosition& position, const std::function<void()>& body);

  // ---- Called on fibers ---------------------------------------------------------------------------------------------
  enum class Combine { None, Count, And, Or };
  int barrier(const char* what, std::source_location where, Combine combine, bool predicate);

  // The last lane of `mask` to arrive calls compute for all; then they go on.
  using Compute = void (*)(const Lanes& lanes);
  void collective(const char* what, uint32_t mask, void* payload, Compute compute, std::source_location where);

  void yield();  // lets other threads run first

  // Gives the block up. Nothing on the fibers' stacks is destroyed.
  [[noreturn]] void fail(const std::string& message);

 private:
  struct Group {  // lanes on their way into one collective
    const char* what;
    uint32_t mask, arrived;
    Compute compute;
    bool is(const char* other, uint32_t other_mask, Compute other_compute) const {
      return what == other && mask == other_mask && compute == other_compute;
    }
  };
  struct Warp {
    std::array<void*, kWarpSize> payload;
    std::vector<Group> groups;
  };

  static void fiber_main();
  void run_current();
  void suspend(const Site& site);
  void continue_next(Context& from);
  void leave(Context& from);
  void abandon();
  Warp& warp_of(const Thread& thread) { return warps_[thread.id / kWarpSize]; }

  std::string stuck_report() const;
  std::string missing_lanes(const Thread& waiting) const;

  const std::function<void()>* body_ = nullptr;
  std::vector<Thread> threads_ = std::vector<Thread>(kMaxThreads);
  std::vector<Warp> warps_ = std::vector<Warp>(kMaxThreads / kWarpSize);
  ReadyQueue ready_;
  int size_ = 0, finished_ = 0;
  int at_barrier_ = 0, predicates_ = 0, barrier_result_ = 0;
  bool barrier_agrees_ = true;
  Site barrier_site_;
  std::string failure_;
  Context host_;
};

// The thread, block and position that are running; valid inside kernels only.
extern Thread* current;
extern GridPosition position;
extern uint64_t block_serial;  // different for every block that ever ran
Block& block();

}  // namespace ftwt::emulator
