// Stands in for runtime.cu where the addon is built without CUDA.
#include "cuda/runtime.h"

#include "ops/common.h"

namespace ftwt::cuda {

DeviceList list_devices() { return {false, "this build of the addon has no CUDA support (no nvcc was found)", {}}; }

std::shared_ptr<Context> open_device(int) {
  throw Error(ErrorCode::NoDevice, "No CUDA device: " + list_devices().reason);
}

void set_schedule(const std::string&) { throw Error(ErrorCode::InvalidArgument, "Only the emulator has schedules"); }

UseContext::UseContext(Context&) : outer_(nullptr) {}
UseContext::~UseContext() = default;

}  // namespace ftwt::cuda
