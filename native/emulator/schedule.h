// The order in which things that may run in any order are run.
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <utility>

#include "emulator/control.h"

namespace ftwt::emulator {

class Schedule {
 public:
  Schedule() { read_environment(); }

  void read_environment();
  void set(Order order, uint64_t seed);
  Order order() const { return order_; }
  uint64_t random();

 private:
  Order order_;
  uint64_t state_;
};

Schedule& schedule();

// The numbers below `count` in the schedule's order, without a table of them.
class Permutation {
 public:
  explicit Permutation(uint64_t count);
  uint64_t operator[](uint64_t i) const;

 private:
  uint64_t count_, factor_, offset_;
};

// Threads of a block that can run.
class ReadyQueue {
 public:
  void clear() { head_ = tail_ = 0; }
  bool empty() const { return head_ == tail_; }
  size_t size() const { return tail_ - head_; }

  void push(uint16_t thread) { ring_[tail_++ % kCapacity] = thread; }

  // Pushes first .. first + count - 1, those for which include(i) holds, in the schedule's order.
  template <class Include>
  void push_range(int first, int count, Include include) {
    const bool reverse = schedule().order() == Order::Reverse;
    for (int i = 0; i < count; ++i) {
      const int thread = first + (reverse ? count - 1 - i : i);
      if (include(thread)) push(static_cast<uint16_t>(thread));
    }
  }

  uint16_t pop() {
    if (schedule().order() == Order::Depth) return ring_[--tail_ % kCapacity];
    if (schedule().order() == Order::Random) {
      const size_t pick = head_ + schedule().random() % size();
      std::swap(ring_[head_ % kCapacity], ring_[pick % kCapacity]);
    }
    return ring_[head_++ % kCapacity];
  }

 private:
  static constexpr size_t kCapacity = 1024;  // threads of the largest block
  std::array<uint16_t, kCapacity> ring_;
  size_t head_ = 0, tail_ = 0;
};

}  // namespace ftwt::emulator
