// Capture: a stream's operations recorded instead of queued. A graph is that record; launching it queues the whole.
#pragma once
#include <map>
#include <memory>
#include <thread>
#include <vector>

#include "emulator/stream.h"

namespace ftwt::emulator {

struct Capture {
  Capture(CUstream_st& first, cudaStreamCaptureMode chosen)
      : origin(&first), mode(chosen), thread(std::this_thread::get_id()) {}

  CUstream_st* const origin;
  const cudaStreamCaptureMode mode;
  const std::thread::id thread;
  bool invalid = false;
  std::vector<Operation> operations;
  std::map<CUstream_st*, bool> forked;  // streams that joined by waiting for an event: has somebody waited for them?

  void record(CUstream_st& stream, Operation operation);

  // `stream` waits for an event that was recorded in `other`.
  void depend(CUstream_st& stream, CUstream_st& other);
};

// A call that a capture does not allow makes the capture invalid, too.
void refuse_in_capture(CUstream_st& stream);
void refuse_in_any_capture();  // of this thread, or of any that captures in global mode

}  // namespace ftwt::emulator
