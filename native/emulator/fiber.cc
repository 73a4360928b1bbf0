#include "emulator/fiber.h"

#include <sys/mman.h>
#include <unistd.h>

#include <new>

#include "emulator/switch.h"

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif

namespace ftwt::emulator {

namespace {

#if defined(__SANITIZE_ADDRESS__)
constexpr size_t kStackBytes = 256 << 10;  // redzones around every local make frames several times larger
Context* left = nullptr;                   // what the running context was switched to from

void before_switch(Context& from, Context& to) {
  left = &from;
  __sanitizer_start_switch_fiber(&from.fake_stack, to.stack_bottom, to.stack_bytes);
}

// The bounds of a host thread's stack are learned when it is left.
void after_switch(Context* resumed) {
  __sanitizer_finish_switch_fiber(resumed ? resumed->fake_stack : nullptr, &left->stack_bottom, &left->stack_bytes);
}

void forget_locals(const void* stack, size_t bytes) { __asan_unpoison_memory_region(stack, bytes); }
#else
constexpr size_t kStackBytes = 128 << 10;
void before_switch(Context&, Context&) {}
void after_switch(Context*) {}
void forget_locals(const void*, size_t) {}
#endif

// Stacks that all end at the same offset of a page would compete for a few sets of the L1 cache.
constexpr size_t kColours = 16, kColourBytes = 256;

void (*starting)() = nullptr;

void first_entry() {
  after_switch(nullptr);
  starting();
}

size_t guard_bytes() {
  static const size_t page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
  return page;
}

}  // namespace

void switch_context(Context& from, Context& to) {
  before_switch(from, to);
  ftwt_emulator_switch(&from.stack_pointer, to.stack_pointer);
  after_switch(&from);
}

Fiber::Fiber(void (*entry)(), size_t index) : entry_(entry), offset_(index % kColours * kColourBytes) {
  void* memory = mmap(nullptr, guard_bytes() + kStackBytes, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) throw std::bad_alloc();
  mapping_ = static_cast<char*>(memory);
  // A kernel that overflows its stack faults instead of writing to another thread's.
  mprotect(mapping_, guard_bytes(), PROT_NONE);
  context.stack_bottom = mapping_ + guard_bytes();
  context.stack_bytes = kStackBytes;
  reset();
}

Fiber::~Fiber() { munmap(mapping_, guard_bytes() + kStackBytes); }

void Fiber::reset() {
  starting = entry_;
  forget_locals(context.stack_bottom, context.stack_bytes);
  context.fake_stack = nullptr;
  context.stack_pointer = first_frame(mapping_ + guard_bytes() + kStackBytes - offset_, first_entry);
}

Fiber& FiberPool::acquire() {
  if (idle_.empty()) {
    all_.push_back(std::make_unique<Fiber>(entry_, all_.size()));
    return *all_.back();
  }
  Fiber* fiber = idle_.back();
  idle_.pop_back();
  return *fiber;
}

}  // namespace ftwt::emulator
