#include "cpu/thread_pool.h"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <cstdlib>
#include <exception>
#include <limits>
#include <memory>
#include <mutex>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "ops/common.h"

namespace ftwt::cpu {
namespace {

// Workers spin this often before they sleep: consecutive ops of a network arrive a few microseconds apart.
constexpr int kSpins = 4000;
constexpr std::size_t kLine = 64;
// Pieces of a shared job for each thread.
constexpr int kPiecesEach = 8;
constexpr int kPartBits = 16;
constexpr uint64_t kPartMask = (1u << kPartBits) - 1;

thread_local int limit = std::numeric_limits<int>::max();

inline void pause() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

class Pool {
 public:
  ~Pool() { resize(1); }

  int size() const { return size_.load(std::memory_order_relaxed); }

  // Fewer than `count` where the system refuses more threads.
  void resize(int count) {
    std::lock_guard<std::mutex> owner(owner_);
    if (count == size()) return;
    auto ranges = std::make_unique<Range[]>(static_cast<std::size_t>(count));
    stop_workers();
    ranges_ = std::move(ranges);
    stopping_ = false;
    try {
      for (int i = 1; i < count; ++i) workers_.emplace_back([this, i, seen = job_.word.load()] { work(i, seen); });
    } catch (const std::system_error&) {  // go on with those there are: a part without a worker would never end
    }
    size_.store(static_cast<int>(workers_.size()) + 1);
  }

  void run(int64_t count, int64_t grain, bool shared, const RangeBody& body) {
    if (count <= 0) return;
    grain = std::max<int64_t>(1, grain);
    const int64_t most = std::max<int64_t>(1, count / grain);
    const int threads = std::min(size(), limit);
    if (threads == 1 || most == 1) return body(0, count, 0);
    std::unique_lock<std::mutex> owner(owner_, std::try_to_lock);
    if (!owner.owns_lock() || workers_.empty()) return body(0, count, 0);

    const int parts = static_cast<int>(std::min<int64_t>({most, threads, size()}));
    const int64_t piece = shared ? std::max(grain, count / (parts * kPiecesEach)) : count;
    if (piece * parts < count) {
      for (int part = 0; part < parts; ++part) {
        ranges_[part].next.store(count * part / parts + piece, std::memory_order_relaxed);
        ranges_[part].end = count * (part + 1) / parts;
      }
    }
    pending_.store(parts - 1, std::memory_order_relaxed);
    // Last, and the word after it: workers look at this line all the time.
    job_.body = body;
    job_.count = count;
    job_.piece = piece;
    announce(parts);

    run_part(0, parts);
    for (int spins = 0; pending_.load(std::memory_order_acquire) > 0; ++spins) {
      if (spins < kSpins) {
        pause();
      } else {
        std::this_thread::yield();
      }
    }
    if (std::exception_ptr error = std::exchange(error_, nullptr)) std::rethrow_exception(error);
  }

 private:
  // What is left of a part. On a cache line of its own.
  struct alignas(kLine) Range {
    std::atomic<int64_t> next{0};  // item that nobody has taken
    int64_t end = 0;
  };

  // On one cache line: what a thread that waits for work must read.
  struct alignas(kLine) Job {
    std::atomic<uint64_t> word{0};  // number << kPartBits | parts
    RangeBody body;
    int64_t count = 0;
    int64_t piece = 0;  // items that a thread takes at a time
  };
  static_assert(sizeof(Job) == kLine);

  void run_part(int part, int parts) {
    try {
      const int64_t begin = job_.count * part / parts, end = job_.count * (part + 1) / parts;
      job_.body(begin, std::min(begin + job_.piece, end), part);  // a part's first piece is its thread's
      if (job_.piece * parts >= job_.count) return;
      for (int i = 0; i < parts; ++i) {  // its own range, then what is left of the others'
        Range& range = ranges_[(part + i) % parts];
        while (range.next.load(std::memory_order_relaxed) < range.end) {
          const int64_t next = range.next.fetch_add(job_.piece, std::memory_order_relaxed);
          if (next < range.end) job_.body(next, std::min(next + job_.piece, range.end), part);
        }
      }
    } catch (...) {
      std::lock_guard<std::mutex> lock(mutex_);
      error_ = std::current_exception();
    }
  }

  // Publishes the next job: its number and its parts in one word, so that a worker without a part never reads fields
  // that the owner may already be writing for the job after it. Who goes to sleep says so before it looks at the word
  // for the last time.
  void announce(int parts) {
    const uint64_t number = (job_.word.load(std::memory_order_relaxed) >> kPartBits) + 1;
    job_.word.store(number << kPartBits | static_cast<uint64_t>(parts));
    if (sleeping_.load() == 0) return;
    { std::lock_guard<std::mutex> lock(mutex_); }  // who said so waits by now
    wake_.notify_all();
  }

  void work(int index, uint64_t seen) {
    for (;;) {
      for (int i = 0; i < kSpins && job_.word.load(std::memory_order_acquire) == seen; ++i) pause();
      if (job_.word.load(std::memory_order_acquire) == seen) {
        std::unique_lock<std::mutex> lock(mutex_);
        sleeping_.fetch_add(1);
        wake_.wait(lock, [&] { return job_.word.load() != seen; });
        sleeping_.fetch_sub(1);
      }
      seen = job_.word.load(std::memory_order_acquire);
      if (stopping_) return;
      if (static_cast<uint64_t>(index) < (seen & kPartMask)) {
        run_part(index, static_cast<int>(seen & kPartMask));
        pending_.fetch_sub(1, std::memory_order_release);
      }
    }
  }

  void stop_workers() {
    stopping_ = true;
    announce(0);
    for (std::thread& worker : workers_) worker.join();
    workers_.clear();
  }

  std::mutex owner_;  // held for the whole of a parallel region
  std::mutex mutex_;
  std::condition_variable wake_;
  std::atomic<int> sleeping_{0};
  std::atomic<int> size_{1};
  std::atomic<bool> stopping_{false};
  Job job_;
  // What threads spin on has a cache line of its own: what else is written would take it from them.
  alignas(kLine) std::atomic<int> pending_{0};
  alignas(kLine) std::unique_ptr<Range[]> ranges_;  // of a shared job, one for each part
  std::exception_ptr error_;
  std::vector<std::thread> workers_;
};

Pool& pool() {
  // Never destroyed: worker threads of the process may outlive static destruction.
  static Pool* instance = [] {
    Pool* created = new Pool;
    created->resize(static_cast<int>(std::max(1u, std::thread::hardware_concurrency())));
    return created;
  }();
  return *instance;
}

}  // namespace

int thread_count() { return std::min(pool().size(), limit); }

ThreadLimit::ThreadLimit(int count) : before_(limit) {
  if (count > 0) limit = count;
}
ThreadLimit::~ThreadLimit() { limit = before_; }

void set_thread_count(int count) {
  pool().resize(count);
  if (const int started = pool().size(); started < count) {
    throw Error(ErrorCode::Internal, "Could start " + std::to_string(started) + " of " + std::to_string(count) +
                                         " threads: a limit of the system");
  }
}

void run_parallel(int64_t count, int64_t grain, bool shared, const RangeBody& body) {
  pool().run(count, grain, shared, body);
}

}  // namespace ftwt::cpu
