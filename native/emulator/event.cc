// Events: a place in a stream's queue, and the time when it was reached.
#include <chrono>
#include <memory>
#include <optional>
#include <set>

#include "emulator/error.h"
#include "emulator/graph.h"
#include "emulator/stream.h"

namespace ftwt::emulator {

namespace {

using Clock = std::chrono::steady_clock;

// Of one recording; the queue keeps it when the event is recorded again or destroyed.
struct Recording {
  Ticket ticket;
  Clock::time_point reached;
  std::shared_ptr<Capture> capture;  // where it was recorded into a graph
};

}  // namespace

}  // namespace ftwt::emulator

struct CUevent_st {
  unsigned flags;
  std::shared_ptr<ftwt::emulator::Recording> recording;
};

using namespace ftwt::emulator;

namespace {

std::set<cudaEvent_t>& events() {
  static auto* instance = new std::set<cudaEvent_t>;
  return *instance;
}

CUevent_st& event_of(cudaEvent_t handle) {
  require(events().count(handle) == 1, cudaErrorInvalidResourceHandle);
  return *handle;
}

void record_event(CUevent_st& event, CUstream_st& stream) {
  auto recording = std::make_shared<Recording>();
  if (stream.capture) {
    recording->ticket = stream.ticket();
    recording->capture = stream.capture;
  } else {
    stream.push({[recording] { recording->reached = Clock::now(); }, true});
    recording->ticket = stream.ticket();
  }
  event.recording = std::move(recording);
}

}  // namespace

cudaError_t cudaEventCreateWithFlags(cudaEvent_t* event, unsigned flags) {
  return api([&] {
    require(event != nullptr);
    *event = *events().insert(new CUevent_st{flags, nullptr}).first;
  });
}

cudaError_t cudaEventCreate(cudaEvent_t* event) { return cudaEventCreateWithFlags(event, cudaEventDefault); }

cudaError_t cudaEventDestroy(cudaEvent_t event) {
  return api([&] {
    const std::unique_ptr<CUevent_st> owned(&event_of(event));
    events().erase(event);
  });
}

cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream) {
  return api([&] {
    require_no_failure();
    record_event(event_of(event), stream_of(stream));
  });
}

cudaError_t cudaEventSynchronize(cudaEvent_t handle) {
  return api([&] {
    const CUevent_st& event = event_of(handle);
    if (!event.recording) return;
    require(!event.recording->capture, cudaErrorStreamCaptureUnsupported);
    wait(event.recording->ticket);
  });
}

cudaError_t cudaEventQuery(cudaEvent_t handle) {
  return api([&] {
    const CUevent_st& event = event_of(handle);
    if (!event.recording) return;
    require(!event.recording->capture, cudaErrorStreamCaptureUnsupported);
    const Ticket& ticket = event.recording->ticket;
    if (!ticket.done()) ticket.stream->run_one();
    require_no_failure();
    require(ticket.done(), cudaErrorNotReady);
  });
}

cudaError_t cudaEventElapsedTime(float* milliseconds, cudaEvent_t start, cudaEvent_t end) {
  return api([&] {
    for (const cudaEvent_t handle : {start, end}) {
      const CUevent_st& event = event_of(handle);
      require(event.recording && !event.recording->capture && !(event.flags & cudaEventDisableTiming),
              cudaErrorInvalidResourceHandle);
      require(event.recording->ticket.done(), cudaErrorNotReady);
    }
    const auto elapsed = end->recording->reached - start->recording->reached;
    *milliseconds = std::chrono::duration<float, std::milli>(elapsed).count();
  });
}

cudaError_t cudaStreamWaitEvent(cudaStream_t handle, cudaEvent_t event_handle, unsigned) {
  return api([&] {
    CUstream_st& stream = stream_of(handle);
    const CUevent_st& event = event_of(event_handle);
    if (!event.recording) return;
    if (event.recording->capture) {
      event.recording->capture->depend(stream, *event.recording->ticket.stream);
    } else {
      require(!stream.capture, cudaErrorStreamCaptureIsolation);
      stream.wait_for(event.recording->ticket);
    }
  });
}
