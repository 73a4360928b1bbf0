#include "emulator/error.h"

#include <new>

namespace ftwt::emulator {

namespace {

std::recursive_mutex& mutex() {
  static auto* instance = new std::recursive_mutex;  // outlives every thread that may still use it
  return *instance;
}

bool failed = false;
std::string& failure_message() {
  static auto* message = new std::string;
  return *message;
}

thread_local cudaError_t last_error = cudaSuccess;
thread_local std::string shown_message;  // cudaGetErrorString's result belongs to the thread that asks

struct Text {
  cudaError_t code;
  const char* name;
  const char* meaning;
};
constexpr Text kTexts[] = {
    {cudaSuccess, "cudaSuccess", "no error"},
    {cudaErrorInvalidValue, "cudaErrorInvalidValue", "invalid argument"},
    {cudaErrorMemoryAllocation, "cudaErrorMemoryAllocation", "out of memory"},
    {cudaErrorInvalidConfiguration, "cudaErrorInvalidConfiguration", "invalid configuration argument"},
    {cudaErrorInvalidDevicePointer, "cudaErrorInvalidDevicePointer", "invalid device pointer"},
    {cudaErrorInvalidMemcpyDirection, "cudaErrorInvalidMemcpyDirection", "invalid copy direction for memcpy"},
    {cudaErrorInsufficientDriver, "cudaErrorInsufficientDriver",
     "CUDA driver version is insufficient for CUDA runtime version"},
    {cudaErrorInvalidDeviceFunction, "cudaErrorInvalidDeviceFunction", "invalid device function"},
    {cudaErrorNoDevice, "cudaErrorNoDevice", "no CUDA-capable device is detected"},
    {cudaErrorInvalidDevice, "cudaErrorInvalidDevice", "invalid device ordinal"},
    {cudaErrorInvalidResourceHandle, "cudaErrorInvalidResourceHandle", "invalid resource handle"},
    {cudaErrorNotReady, "cudaErrorNotReady", "device not ready"},
    {cudaErrorLaunchFailure, "cudaErrorLaunchFailure", "unspecified launch failure"},
    {cudaErrorNotPermitted, "cudaErrorNotPermitted", "operation not permitted"},
    {cudaErrorNotSupported, "cudaErrorNotSupported", "operation not supported"},
    {cudaErrorStreamCaptureUnsupported, "cudaErrorStreamCaptureUnsupported",
     "operation not permitted when stream is capturing"},
    {cudaErrorStreamCaptureInvalidated, "cudaErrorStreamCaptureInvalidated",
     "operation failed due to a previous error during capture"},
    {cudaErrorStreamCaptureUnjoined, "cudaErrorStreamCaptureUnjoined", "capturing stream has unjoined work"},
    {cudaErrorStreamCaptureIsolation, "cudaErrorStreamCaptureIsolation",
     "dependency created on uncaptured work in another stream"},
    {cudaErrorStreamCaptureImplicit, "cudaErrorStreamCaptureImplicit",
     "operation would make the legacy stream depend on a capturing blocking stream"},
};

const Text* text_of(cudaError_t code) {
  for (const Text& text : kTexts) {
    if (text.code == code) return &text;
  }
  return nullptr;
}

}  // namespace

thread_local bool in_host_function = false;

Lock::Lock() : held_(mutex()) {}

void set_failure(const std::string& message) {
  if (failed) return;  // the first is the cause
  failed = true;
  failure_message() = message;
}

bool has_failed() { return failed; }

void require_no_failure() { require(!failed, cudaErrorLaunchFailure); }

cudaError_t record_error(cudaError_t code) noexcept {
  if (code != cudaErrorNotReady) last_error = code;
  return code;
}

cudaError_t code_of_current_exception() noexcept {
  try {
    throw;
  } catch (const Refusal& refusal) {
    return refusal.code;
  } catch (const std::bad_alloc&) {
    return cudaErrorMemoryAllocation;
  } catch (...) {
    return cudaErrorUnknown;
  }
}

}  // namespace ftwt::emulator

using namespace ftwt::emulator;

const char* cudaGetErrorName(cudaError_t error) {
  const Text* text = text_of(error);
  return text ? text->name : "unrecognized error code";
}

const char* cudaGetErrorString(cudaError_t error) {
  if (error == cudaErrorLaunchFailure) {
    const Lock lock;
    if (!failure_message().empty()) {
      shown_message = failure_message();
      return shown_message.c_str();
    }
  }
  const Text* text = text_of(error);
  return text ? text->meaning : "unrecognized error code";
}

cudaError_t cudaPeekAtLastError() {
  const Lock lock;
  return last_error == cudaSuccess && failed ? cudaErrorLaunchFailure : last_error;
}

cudaError_t cudaGetLastError() {
  const Lock lock;
  const cudaError_t error = cudaPeekAtLastError();
  last_error = cudaSuccess;
  failed = false;
  return error;
}
