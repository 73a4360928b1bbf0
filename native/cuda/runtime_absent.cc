// Stands in for runtime.cu where the addon is built without CUDA.
#include "cuda/recording.h"
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

// Of no use without a context.
std::unique_ptr<Graph> record_graph(const std::function<void()>&) { return nullptr; }
UseScratch::UseScratch(void*, std::size_t) {}
UseScratch::~UseScratch() = default;
HostBlock::HostBlock(std::size_t) {}
HostBlock::~HostBlock() = default;
void queue_upload(void*, const void*, std::size_t) {}
void queue_download(void*, const void*, std::size_t) {}
std::unique_ptr<Stopwatch> start_stopwatch() { return nullptr; }

}  // namespace ftwt::cuda
