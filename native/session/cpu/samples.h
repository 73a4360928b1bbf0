// How samples are shared out among threads.
#pragma once
#include <algorithm>

#include "cpu/thread_pool.h"
#include "session/cpu/state.h"

namespace ftwt::session {

// Samples whose activations the last-level cache keeps, as many for each thread: those of one thread share each layer's
// weights.
inline int64_t samples_at_once(int threads) {
  return threads == 1 ? 8 : std::max<int64_t>(threads, std::min<int64_t>(4 * threads, 32));
}

// Parts of a state's memory, one for each thread that may run samples of its own.
struct ThreadMemory {
  int threads;
  int64_t local, scratch;  // floats of each

  // For samples that the threads run together.
  ThreadMemory together() const { return {1, threads * local, threads * scratch}; }

  // Where every thread gets as many samples, each runs its own: it waits for nobody and finds its data in its own
  // caches. Else all threads share the work of each step.
  bool runs_apart(int64_t samples) const {
    const int running = cpu::thread_count();
    return running > 1 && running <= threads && samples > 0 && samples % running == 0;
  }
};

// Calls body(state, thread) for all of the state's samples, at most `together` of them at a time.
template <typename Body>
void for_samples(const State& state, int64_t together, ThreadMemory each, const Body& body) {
  const int64_t samples = state.samples;
  const bool apart = each.runs_apart(samples);
  const int64_t parts = apart ? cpu::thread_count() : 1;
  const int64_t groups = parts * ((samples / parts + together - 1) / together);
  const auto run = [&](State some, int64_t group, int thread) {
    some.first = samples * group / groups;
    some.samples = samples * (group + 1) / groups - some.first;
    body(some, thread);
  };
  if (!apart) {
    for (int64_t group = 0; group < groups; ++group) run(state, group, 0);
    return;
  }
  cpu::parallel_share(groups, 1, [&](int64_t begin, int64_t end, int thread) {
    // All groups in one call: the threads are busy with another run, and may be free again for a later step.
    const cpu::ThreadLimit alone(end - begin == groups ? 0 : 1);
    State own = state;
    own.local += thread * each.local;
    own.scratch += thread * each.scratch;
    for (int64_t group = begin; group < end; ++group) run(own, group, thread);
  });
}

}  // namespace ftwt::session
