#pragma once
#include <utility>

#include "cpu/scratch.h"
#include "cpu/thread_pool.h"
#include "session/cpu/convolution.h"

namespace ftwt::session {

// Channels for each thread from which it packs the pixels of a lone image for itself.
constexpr int64_t kRowsToPackAlone = 32;

// Whether each thread packs a lone image's pixels for itself, and which have: each reads what it packed from its own
// caches and waits for nobody, which costs less than reading most of it from others'.
class PackedAlone {
 public:
  // `whole`: each task reads all of the pixels.
  PackedAlone(const State& state, const Convolution& c, bool whole)
      : each_(whole && state.samples == 1 && cpu::thread_count() > 1 && cpu::thread_count() <= kMostCopies &&
              c.output.shape.c >= kRowsToPackAlone * cpu::thread_count()),
        active_(state.active(c.input, 0).count) {}
  bool each() const { return each_; }
  // The thread's copy, which pack(j, to) writes for each active channel when it first asks.
  template <typename Pack>
  const float* copy(int thread, int64_t floats, const Pack& pack) {
    float* to = cpu::thread_floats(cpu::Scratch::Columns, static_cast<std::size_t>(floats));
    if (std::exchange(packed_[thread], true)) return to;
    for (int64_t j = 0; j < active_; ++j) pack(j, to);
    return to;
  }

 private:
  static constexpr int kMostCopies = 64;
  bool each_;
  int64_t active_;
  bool packed_[kMostCopies] = {};
};

}  // namespace ftwt::session
