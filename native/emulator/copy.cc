// Copies and fills. Pageable host memory is read at the call, as CUDA stages it; it is written when the copy runs,
// which is later than CUDA would: whoever reads it must have waited.
#include <cstring>
#include <memory>

#include "emulator/control.h"
#include "emulator/error.h"
#include "emulator/graph.h"
#include "emulator/memory.h"
#include "emulator/stream.h"

using namespace ftwt::emulator;

namespace {

struct Copy {
  void* to;
  const void* from;
  size_t bytes;
  bool to_device, from_device;
};

bool is_host(const void* memory) {
  const Allocation* allocation = find_allocation(memory).allocation;
  return allocation == nullptr || !allocation->on_device;
}

// One side of a copy; `kind` says on which side of the bus it should be.
bool resolve_side(const void* memory, size_t bytes, cudaMemcpyKind kind, bool device_by_kind) {
  const bool on_device = kind == cudaMemcpyDefault ? !is_host(memory) : device_by_kind;
  require(on_device ? is_on_device(memory, bytes) : is_host(memory));
  return on_device;
}

Copy resolve(void* to, const void* from, size_t bytes, cudaMemcpyKind kind) {
  require(kind >= cudaMemcpyHostToHost && kind <= cudaMemcpyDefault, cudaErrorInvalidMemcpyDirection);
  const bool to_device = kind == cudaMemcpyHostToDevice || kind == cudaMemcpyDeviceToDevice;
  const bool from_device = kind == cudaMemcpyDeviceToHost || kind == cudaMemcpyDeviceToDevice;
  return {to, from, bytes, resolve_side(to, bytes, kind, to_device), resolve_side(from, bytes, kind, from_device)};
}

void require_alive(const void* memory, size_t bytes) {
  if (!is_on_device(memory, bytes)) throw Failure("a copy or fill runs after its memory has been freed");
}

void perform(const Copy& copy) {
  if (copy.to_device) require_alive(copy.to, copy.bytes);
  if (copy.from_device) require_alive(copy.from, copy.bytes);
  std::memmove(copy.to, copy.from, copy.bytes);
}

void push_copy(CUstream_st& stream, const Copy& copy) {
  if (copy.bytes == 0) return;
  const bool pageable = !copy.from_device && find_allocation(copy.from).allocation == nullptr;
  if (!pageable || stream.capture) {  // a graph reads its source at every launch
    stream.push({[copy] { perform(copy); }});
    return;
  }
  const auto* begin = static_cast<const char*>(copy.from);
  const auto staged = std::make_shared<std::string>(begin, copy.bytes);
  stream.push({[copy, staged] { perform({copy.to, staged->data(), copy.bytes, copy.to_device, false}); }});
}

void push_fill(CUstream_st& stream, void* memory, int value, size_t bytes) {
  if (bytes == 0) return;
  require(is_on_device(memory, bytes));
  stream.push({[=] {
    require_alive(memory, bytes);
    std::memset(memory, value, bytes);
  }});
}

}  // namespace

cudaError_t cudaMemcpyAsync(void* to, const void* from, size_t bytes, cudaMemcpyKind kind, cudaStream_t handle) {
  return api([&] {
    require_no_failure();
    CUstream_st& stream = stream_of(handle);
    if (bytes) push_copy(stream, resolve(to, from, bytes, kind));
  });
}

cudaError_t cudaMemcpy(void* to, const void* from, size_t bytes, cudaMemcpyKind kind) {
  return api([&] {
    require_no_failure();
    refuse_in_any_capture();
    if (bytes == 0) return;
    const Copy copy = resolve(to, from, bytes, kind);
    CUstream_st& stream = stream_of(nullptr);
    push_copy(stream, copy);
    if (!copy.to_device || !copy.from_device) wait(stream.ticket());  // within the device, CUDA does not wait either
  });
}

cudaError_t cudaMemsetAsync(void* memory, int value, size_t bytes, cudaStream_t handle) {
  return api([&] {
    require_no_failure();
    push_fill(stream_of(handle), memory, value, bytes);
  });
}

cudaError_t cudaMemset(void* memory, int value, size_t bytes) {
  return api([&] {
    require_no_failure();
    refuse_in_any_capture();
    push_fill(stream_of(nullptr), memory, value, bytes);
  });
}
