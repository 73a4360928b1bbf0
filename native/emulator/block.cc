#include "emulator/block.h"

#include <exception>

#include "emulator/report.h"
#include "emulator/shared_memory.h"

namespace ftwt::emulator {

Thread* current = nullptr;
GridPosition position;
uint64_t block_serial = 0;

Block& block() {
  // Never destroyed: another host thread may still run a kernel while the process exits.
  static Block* instance = new Block;
  return *instance;
}

namespace {

FiberPool& fibers(void (*entry)()) {
  static FiberPool* pool = new FiberPool(entry);
  return *pool;
}

}  // namespace

void Block::run(const GridPosition& at, const std::function<void()>& body) {
  position = at;
  ++block_serial;
  body_ = &body;
  const dim3 dim = at.block_dim;
  size_ = static_cast<int>(dim.x * dim.y * dim.z);
  finished_ = at_barrier_ = predicates_ = 0;
  barrier_agrees_ = true;
  failure_.clear();
  ready_.clear();
  for (Warp& warp : warps_) warp.groups.clear();
  int id = 0;
  for (unsigned z = 0; z < dim.z; ++z) {
    for (unsigned y = 0; y < dim.y; ++y) {
      for (unsigned x = 0; x < dim.x; ++x, ++id) {
        Thread& thread = threads_[id];
        thread.index = {x, y, z};
        thread.id = id;
        thread.state = Thread::State::Ready;
        thread.fiber = nullptr;
        thread.copies.clear();
      }
    }
  }
  begin_shared_memory();
  ready_.push_range(0, size_, [](int) { return true; });
  continue_next(host_);
  if (failure_.empty() && finished_ != size_) failure_ = stuck_report();
  if (!failure_.empty()) {
    abandon();
    throw Failure(failure_);
  }
}

// ---- Fibers
// -------------------------------------------------------------------------------------------------------------

void Block::fiber_main() {
  Block& self = block();
  for (;;) {
    Fiber& fiber = *current->fiber;
    self.run_current();
    current->state = Thread::State::Finished;
    current->fiber = nullptr;
    ++self.finished_;
    if (!self.failure_.empty() || self.ready_.empty()) {
      fibers(fiber_main).release(fiber);
      self.leave(fiber.context);
      continue;  // taken from the pool for another block
    }
    Thread& next = self.threads_[self.ready_.pop()];
    current = &next;
    if (next.fiber == nullptr) {
      next.fiber = &fiber;
    } else {
      fibers(fiber_main).release(fiber);
      switch_context(fiber.context, next.fiber->context);
    }
  }
}

void Block::run_current() {
  try {
    (*body_)();
  } catch (const std::exception& error) {
    failure_ = std::string("a kernel threw: ") + error.what();
  } catch (...) {
    failure_ = "a kernel threw something that is no std::exception";
  }
}

void Block::continue_next(Context& from) {
  Thread& next = threads_[ready_.pop()];
  if (&next == current && &from != &host_) return;
  if (next.fiber == nullptr) next.fiber = &fibers(fiber_main).acquire();
  current = &next;
  switch_context(from, next.fiber->context);
}

void Block::leave(Context& from) { switch_context(from, host_); }

void Block::suspend(const Site& site) {
  Thread& self = *current;
  self.state = Thread::State::Waiting;
  self.site = site;
  if (ready_.empty()) {
    leave(self.fiber->context);
  } else {
    continue_next(self.fiber->context);
  }
  self.state = Thread::State::Ready;
}

void Block::yield() {
  ready_.push(static_cast<uint16_t>(current->id));
  continue_next(current->fiber->context);
}

void Block::fail(const std::string& message) {
  failure_ = message + ", in thread " + describe(current->index) + " of block " + describe(position.block_index);
  leave(current->fiber->context);
  __builtin_unreachable();
}

void Block::abandon() {
  for (int i = 0; i < size_; ++i) {
    Fiber* fiber = threads_[i].fiber;
    if (fiber == nullptr) continue;
    fiber->reset();
    fibers(fiber_main).release(*fiber);
    threads_[i].fiber = nullptr;
  }
}

// ---- Barriers
// -----------------------------------------------------------------------------------------------------------

int Block::barrier(const char* what, std::source_location where, Combine combine, bool predicate) {
  const Site site{what, where, 0};
  if (at_barrier_ == 0) barrier_site_ = site;
  barrier_agrees_ = barrier_agrees_ && site == barrier_site_;
  predicates_ += predicate;
  if (++at_barrier_ == size_ && barrier_agrees_) {
    barrier_result_ = combine == Combine::And  ? predicates_ == size_
                      : combine == Combine::Or ? predicates_ > 0
                                               : predicates_;
    at_barrier_ = predicates_ = 0;
    ready_.push_range(0, size_, [](int) { return true; });
  }
  suspend(site);
  return barrier_result_;
}

void Block::collective(const char* what, uint32_t mask, void* payload, Compute compute, std::source_location where) {
  const Thread& self = *current;
  const int lane = self.id % kWarpSize;
  const Site site{what, where, mask};
  if (!(mask >> lane & 1)) fail(describe(site) + ": lane " + std::to_string(lane) + " is not in its mask");
  Warp& warp = warp_of(self);
  warp.payload[lane] = payload;

  size_t i = 0;
  while (i < warp.groups.size() && !warp.groups[i].is(what, mask, compute)) ++i;
  if (i == warp.groups.size()) warp.groups.push_back({what, mask, 0, compute});
  warp.groups[i].arrived |= 1u << lane;
  if (warp.groups[i].arrived == mask) {
    warp.groups.erase(warp.groups.begin() + static_cast<ptrdiff_t>(i));
    if (compute) compute({mask, warp.payload.data()});
    const int first = self.id - lane;
    ready_.push_range(first, kWarpSize, [&](int thread) { return mask >> (thread - first) & 1; });
  }
  suspend(site);
}

}  // namespace ftwt::emulator
