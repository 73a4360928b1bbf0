#include "emulator/stream.h"

#include <algorithm>
#include <array>
#include <vector>

#include "emulator/device.h"
#include "emulator/error.h"
#include "emulator/graph.h"
#include "emulator/memory.h"

namespace ftwt::emulator {

namespace {

struct Streams {
  std::array<std::shared_ptr<CUstream_st>, kMaxDevices> defaults;
  std::vector<std::shared_ptr<CUstream_st>> created;
  std::vector<std::shared_ptr<CUstream_st>> destroyed;  // with work left

  Streams() {
    for (int device = 0; device < kMaxDevices; ++device) defaults[device] = std::make_shared<CUstream_st>(device, true);
  }

  std::vector<std::shared_ptr<CUstream_st>> of_device(int device) const {
    std::vector<std::shared_ptr<CUstream_st>> found{defaults[device]};
    for (const auto* list : {&created, &destroyed}) {
      for (const auto& stream : *list) {
        if (stream->device == device) found.push_back(stream);
      }
    }
    return found;
  }
};

Streams& streams() {
  static auto* instance = new Streams;
  return *instance;
}

auto find_created(cudaStream_t handle) {
  auto& created = streams().created;
  const auto found = std::find_if(created.begin(), created.end(), [&](const auto& s) { return s.get() == handle; });
  require(found != created.end(), cudaErrorInvalidResourceHandle);
  return found;
}

void create(cudaStream_t* handle, unsigned flags) {
  require(handle != nullptr && (flags & ~cudaStreamNonBlocking) == 0);
  streams().created.push_back(std::make_shared<CUstream_st>(current_device(), flags != cudaStreamNonBlocking));
  *handle = streams().created.back().get();
}

}  // namespace

bool Ticket::done() const { return stream->completed() >= count; }

void Ticket::complete() const {
  while (!done()) stream->run_one();
}

CUstream_st& stream_of(cudaStream_t handle) {
  return handle == nullptr ? *streams().defaults[current_device()] : **find_created(handle);
}

void wait(const Ticket& ticket) {
  ticket.complete();
  release_unused_memory(ticket.stream->device);
  require_no_failure();
}

void wait_for_device(int device) {
  for (const auto& stream : streams().of_device(device)) stream->ticket().complete();
  std::erase_if(streams().destroyed, [](const auto& stream) { return stream->idle(); });
  release_unused_memory(device);
  require_no_failure();
}

}  // namespace ftwt::emulator

using namespace ftwt::emulator;

void CUstream_st::push(Operation operation) {
  if (capture) return capture->record(*this, std::move(operation));
  if (blocking) order_with_default_stream();
  const bool urgent = operation.urgent;
  queue_.push_back(std::move(operation));
  ++pushed_;
  if (urgent) complete_soon(ticket());
}

void CUstream_st::wait_for(const Ticket& ticket) {
  if (ticket.stream.get() == this || ticket.done()) return;
  queue_.push_back({[ticket] { ticket.complete(); }, true});
  ++pushed_;
}

// The default stream waits for all blocking streams, and they for it.
void CUstream_st::order_with_default_stream() {
  const auto& default_stream = streams().defaults[device];
  if (default_stream.get() != this) return wait_for(default_stream->ticket());
  for (const auto& stream : streams().of_device(device)) {
    if (!stream->blocking || stream.get() == this) continue;
    require(!stream->capture, cudaErrorStreamCaptureImplicit);
    wait_for(stream->ticket());
  }
}

void CUstream_st::run_one() {
  const Operation operation = std::move(queue_.front());
  queue_.pop_front();
  if (operation.cleanup || !has_failed()) {
    try {
      operation.run();
    } catch (const std::exception& error) {
      set_failure(error.what());
    }
  }
  ++completed_;
}

cudaError_t cudaStreamCreateWithFlags(cudaStream_t* stream, unsigned flags) {
  return api([&] { create(stream, flags); });
}

cudaError_t cudaStreamCreate(cudaStream_t* stream) { return cudaStreamCreateWithFlags(stream, cudaStreamDefault); }

cudaError_t cudaStreamCreateWithPriority(cudaStream_t* stream, unsigned flags, int) {
  return cudaStreamCreateWithFlags(stream, flags);
}

cudaError_t cudaStreamDestroy(cudaStream_t handle) {
  return api([&] {
    const auto found = find_created(handle);
    if (!(*found)->idle()) streams().destroyed.push_back(*found);
    streams().created.erase(found);
  });
}

cudaError_t cudaStreamSynchronize(cudaStream_t handle) {
  return api([&] {
    CUstream_st& stream = stream_of(handle);
    refuse_in_capture(stream);
    wait(stream.ticket());
  });
}

cudaError_t cudaStreamQuery(cudaStream_t handle) {
  return api([&] {
    CUstream_st& stream = stream_of(handle);
    refuse_in_capture(stream);
    if (!stream.idle()) stream.run_one();
    require_no_failure();
    require(stream.idle(), cudaErrorNotReady);
  });
}

cudaError_t cudaDeviceSynchronize() {
  return api([] {
    refuse_in_any_capture();
    wait_for_device(current_device());
  });
}

cudaError_t cudaLaunchHostFunc(cudaStream_t handle, cudaHostFn_t function, void* user_data) {
  return api([&] {
    require(function != nullptr);
    require_no_failure();
    Operation operation{[function, user_data] {
      in_host_function = true;
      function(user_data);
      in_host_function = false;
    }};
    operation.urgent = true;
    stream_of(handle).push(std::move(operation));
  });
}
