// One process-wide pool of worker threads. The caller takes part; work is split statically, so that a result depends on
// the number of threads but never on timing.
#pragma once
#include <cstdint>
#include <memory>
#include <type_traits>

namespace ftwt::cpu {

constexpr int kMostThreads = 1024;

// At most what a ThreadLimit of the caller allows.
int thread_count();
// count >= 1. No op may run meanwhile: ops size memory by thread_count(). Throws Internal where the system refuses so
// many threads; the pool then has as many as it got.
void set_thread_count(int count);

// While it lives, parallel regions of this thread use at most `count` threads; 0: as many as there are.
class ThreadLimit {
 public:
  explicit ThreadLimit(int count);
  ~ThreadLimit();
  ThreadLimit(const ThreadLimit&) = delete;
  ThreadLimit& operator=(const ThreadLimit&) = delete;

 private:
  int before_;
};

// A non-owning reference to a callable: no allocation per parallel region.
class RangeBody {
 public:
  RangeBody() = default;
  template <typename Body>
  explicit RangeBody(const Body& body)
      : object_(&body), call_([](const void* object, int64_t begin, int64_t end, int thread) {
          (*static_cast<const Body*>(object))(begin, end, thread);
        }) {}
  void operator()(int64_t begin, int64_t end, int thread) const { call_(object_, begin, end, thread); }

 private:
  const void* object_ = nullptr;
  void (*call_)(const void*, int64_t, int64_t, int) = nullptr;
};

void run_parallel(int64_t count, int64_t grain, bool shared, const RangeBody& body);

// Calls body(begin, end, thread) over a split of [0, count) into at most thread_count() ranges of at least `grain`
// items; thread is in [0, thread_count()). Runs in the caller alone when the pool is busy with another caller.
// An exception thrown by a body is rethrown in the caller.
template <typename Body>
void parallel_for(int64_t count, int64_t grain, const Body& body) {
  run_parallel(count, grain, false, RangeBody(body));
}

// The same, but in pieces of at least `grain` items: a thread that is through with its range goes on with what is left
// of the others', so that one that is slower, or that the system has stopped, does less; but the first piece of a range
// is its thread's. Which thread does what differs from run to run.
template <typename Body>
void parallel_share(int64_t count, int64_t grain, const Body& body) {
  run_parallel(count, grain, true, RangeBody(body));
}

}  // namespace ftwt::cpu
