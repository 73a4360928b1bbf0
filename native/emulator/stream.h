// Streams are lazy queues: what is put into one runs when something waits for it, on the thread that waits. Code that
// forgets to wait sees old data every time, not once in a thousand runs.
//
// What runs without a wait: a query runs one operation, and a function given to cudaLaunchHostFunc makes a thread of
// the emulator's wait for it, because nobody else might.
#pragma once
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>

#include "emulator/api.h"

namespace ftwt::emulator {

struct Capture;

struct Operation {
  std::function<void()> run;
  bool cleanup = false;  // runs even after a failure
  bool urgent = false;   // runs even if nobody waits
};

// A place in a stream's queue.
struct Ticket {
  std::shared_ptr<CUstream_st> stream;
  uint64_t count;
  bool done() const;
  void complete() const;
};

}  // namespace ftwt::emulator

struct CUstream_st : std::enable_shared_from_this<CUstream_st> {
  CUstream_st(int device_index, bool synchronises_with_legacy)
      : device(device_index), blocking(synchronises_with_legacy) {}

  const int device;
  const bool blocking;  // ordered with the device's default stream
  std::shared_ptr<ftwt::emulator::Capture> capture;

  void push(ftwt::emulator::Operation operation);
  void wait_for(const ftwt::emulator::Ticket& ticket);
  ftwt::emulator::Ticket ticket() { return {shared_from_this(), pushed_}; }

  bool idle() const { return queue_.empty(); }
  uint64_t completed() const { return completed_; }
  void run_one();

 private:
  void order_with_default_stream();
  std::deque<ftwt::emulator::Operation> queue_;
  uint64_t pushed_ = 0, completed_ = 0;
};

namespace ftwt::emulator {

CUstream_st& stream_of(cudaStream_t handle);  // refuses a handle that is none

// Waits on the host: runs the work, gives memory back to the device, and refuses if anything has failed.
void wait(const Ticket& ticket);
void wait_for_device(int device);

// Lets a thread of the emulator's complete the work before long.
void complete_soon(const Ticket& ticket);

}  // namespace ftwt::emulator
