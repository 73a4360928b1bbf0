// The thread that stands for the driver's: it waits for host functions that nobody else waits for.
#include <condition_variable>
#include <mutex>
#include <thread>
#include <deque>

#include "emulator/error.h"
#include "emulator/stream.h"

namespace ftwt::emulator {

namespace {

class Progress {
 public:
  Progress() {
    std::thread([this] { run(); }).detach();
  }

  void add(const Ticket& ticket) {
    const std::lock_guard lock(mutex_);
    tickets_.push_back(ticket);
    changed_.notify_one();
  }

 private:
  [[noreturn]] void run() {
    for (;;) {
      std::unique_lock own(mutex_);
      changed_.wait(own, [this] { return !tickets_.empty(); });
      const Ticket ticket = std::move(tickets_.front());
      tickets_.pop_front();
      own.unlock();
      const Lock lock;
      ticket.complete();
    }
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Ticket> tickets_;
};

}  // namespace

void complete_soon(const Ticket& ticket) {
  static auto* progress = new Progress;  // its thread never ends, so neither does it
  progress->add(ticket);
}

}  // namespace ftwt::emulator
