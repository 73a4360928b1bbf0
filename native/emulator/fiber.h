// Fibers: stacks that a host thread switches between by hand.
#pragma once
#include <cstddef>
#include <memory>
#include <vector>

namespace ftwt::emulator {

// A point of execution that is not running now. The stack's bounds are there for AddressSanitizer.
struct Context {
  void* stack_pointer = nullptr;
  const void* stack_bottom = nullptr;
  size_t stack_bytes = 0;
  void* fake_stack = nullptr;
};

// Leaves `from` and continues `to`; returns when something switches to `from`.
void switch_context(Context& from, Context& to);

class Fiber {
 public:
  // `entry` must never return.
  Fiber(void (*entry)(), size_t index);
  ~Fiber();
  Fiber(const Fiber&) = delete;
  Fiber& operator=(const Fiber&) = delete;

  // Forgets whatever the fiber was doing: the next switch to it calls `entry` again.
  void reset();

  Context context;

 private:
  void (*entry_)();
  char* mapping_;
  size_t offset_;  // from the end of the mapping to the top of the stack
};

// Idle fibers, the most recently used (whose stack is still in the cache) first.
class FiberPool {
 public:
  explicit FiberPool(void (*entry)()) : entry_(entry) {}
  Fiber& acquire();
  void release(Fiber& fiber) { idle_.push_back(&fiber); }

 private:
  void (*entry_)();
  std::vector<std::unique_ptr<Fiber>> all_;
  std::vector<Fiber*> idle_;
};

}  // namespace ftwt::emulator
