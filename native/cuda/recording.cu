#include "cuda/recording.h"

#include <algorithm>
#include <type_traits>

#include "cuda/context.h"

namespace ftwt::cuda {
namespace {

thread_local UseScratch* scratch_in_use = nullptr;

constexpr std::size_t kScratchAlignment = 256;  // that of the pool

std::size_t aligned(std::size_t bytes) {
  return (bytes + kScratchAlignment - 1) / kScratchAlignment * kScratchAlignment;
}

class RecordedGraph final : public Graph {
 public:
  explicit RecordedGraph(cudaGraph_t graph) { CUDA_CHECK(cudaGraphInstantiate(&executable_, graph, 0)); }
  ~RecordedGraph() override { cudaGraphExecDestroy(executable_); }
  void launch() override { CUDA_CHECK(cudaGraphLaunch(executable_, current_stream())); }

 private:
  cudaGraphExec_t executable_ = nullptr;
};

struct DestroyGraph {
  void operator()(cudaGraph_t graph) const { cudaGraphDestroy(graph); }
};
using OwnedGraph = std::unique_ptr<std::remove_pointer_t<cudaGraph_t>, DestroyGraph>;

class EventStopwatch final : public Stopwatch {
 public:
  ~EventStopwatch() override {
    for (const cudaEvent_t event : events_) cudaEventDestroy(event);
  }
  void mark() override {
    cudaEvent_t event;
    CUDA_CHECK(cudaEventCreateWithFlags(&event, cudaEventDefault));
    events_.push_back(event);
    CUDA_CHECK(cudaEventRecord(event, current_stream()));
  }
  std::vector<double> milliseconds() override {
    std::vector<double> times;
    if (!events_.empty()) CUDA_CHECK(cudaEventSynchronize(events_.back()));
    for (std::size_t i = 1; i < events_.size(); ++i) {
      float time = 0;
      CUDA_CHECK(cudaEventElapsedTime(&time, events_[i - 1], events_[i]));
      times.push_back(time);
    }
    return times;
  }

 private:
  std::vector<cudaEvent_t> events_;
};

}  // namespace

std::unique_ptr<Graph> record_graph(const std::function<void()>& queue_work) {
  const cudaStream_t stream = current_stream();
  // Relaxed: a kernel's first launch may load its code.
  CUDA_CHECK(cudaStreamBeginCapture(stream, cudaStreamCaptureModeRelaxed));
  cudaGraph_t graph = nullptr;
  try {
    queue_work();
  } catch (...) {
    cudaStreamEndCapture(stream, &graph);
    const OwnedGraph partial(graph);
    cudaGetLastError();
    throw;
  }
  const cudaError_t status = cudaStreamEndCapture(stream, &graph);
  const OwnedGraph recorded(graph);
  CUDA_CHECK(status);
  return std::make_unique<RecordedGraph>(recorded.get());
}

UseScratch::UseScratch(void* block, std::size_t bytes) : block_(block), bytes_(bytes), outer_(scratch_in_use) {
  scratch_in_use = this;
}

UseScratch::~UseScratch() { scratch_in_use = outer_; }

DeviceBuffer::DeviceBuffer(std::size_t bytes) : scratch_bytes_(0) {
  if (scratch_in_use == nullptr) {
    data_ = current_context().allocate(bytes);
    return;
  }
  UseScratch& scratch = *scratch_in_use;
  scratch_bytes_ = aligned(std::max<std::size_t>(1, bytes));
  data_ = reinterpret_cast<void*>(reinterpret_cast<uintptr_t>(scratch.block_) + scratch.used_);
  scratch.used_ += scratch_bytes_;
  scratch.peak_ = std::max(scratch.peak_, scratch.used_);
}

// Buffers end in the opposite order of their beginning.
DeviceBuffer::~DeviceBuffer() {
  if (scratch_bytes_ == 0) {
    current_context().free(data_);
  } else {
    scratch_in_use->used_ -= scratch_bytes_;
  }
}

HostBlock::HostBlock(std::size_t bytes) {
  CUDA_CHECK(cudaHostAlloc(&data_, std::max<std::size_t>(1, bytes), cudaHostAllocDefault));
}

HostBlock::~HostBlock() { cudaFreeHost(data_); }

void queue_upload(void* to, const void* from, std::size_t bytes) {
  if (bytes > 0) CUDA_CHECK(cudaMemcpyAsync(to, from, bytes, cudaMemcpyHostToDevice, current_stream()));
}

void queue_download(void* to, const void* from, std::size_t bytes) {
  if (bytes > 0) CUDA_CHECK(cudaMemcpyAsync(to, from, bytes, cudaMemcpyDeviceToHost, current_stream()));
}

std::unique_ptr<Stopwatch> start_stopwatch() {
  auto stopwatch = std::make_unique<EventStopwatch>();
  stopwatch->mark();
  return stopwatch;
}

}  // namespace ftwt::cuda
