#include "emulator/graph.h"

#include <set>

#include "emulator/error.h"

struct CUgraph_st {
  std::shared_ptr<const std::vector<ftwt::emulator::Operation>> operations;
};
struct CUgraphExec_st {
  std::shared_ptr<const std::vector<ftwt::emulator::Operation>> operations;
};

namespace ftwt::emulator {

namespace {

std::set<Capture*>& captures() {
  static auto* instance = new std::set<Capture*>;
  return *instance;
}

}  // namespace

void Capture::record(CUstream_st& stream, Operation operation) {
  require(!invalid, cudaErrorStreamCaptureInvalidated);
  operations.push_back(std::move(operation));
  if (&stream != origin) forked[&stream] = false;
}

// Recording keeps the order of the calls, which is one that respects every dependency.
void Capture::depend(CUstream_st& stream, CUstream_st& other) {
  require(!invalid, cudaErrorStreamCaptureInvalidated);
  require(!stream.capture || stream.capture.get() == this, cudaErrorStreamCaptureIsolation);
  if (!stream.capture) {
    stream.capture = origin->capture;
    forked[&stream] = false;
  }
  if (&other != origin && &other != &stream) forked[&other] = true;
}

void refuse_in_capture(CUstream_st& stream) {
  if (!stream.capture) return;
  stream.capture->invalid = true;
  refuse(cudaErrorStreamCaptureUnsupported);
}

void refuse_in_any_capture() {
  for (Capture* capture : captures()) {
    const bool own = capture->thread == std::this_thread::get_id();
    if (capture->mode == cudaStreamCaptureModeRelaxed || (!own && capture->mode != cudaStreamCaptureModeGlobal))
      continue;
    capture->invalid = true;
    refuse(cudaErrorStreamCaptureUnsupported);
  }
}

}  // namespace ftwt::emulator

using namespace ftwt::emulator;

cudaError_t cudaStreamBeginCapture(cudaStream_t handle, cudaStreamCaptureMode mode) {
  return api([&] {
    require(handle != nullptr, cudaErrorStreamCaptureUnsupported);
    CUstream_st& stream = stream_of(handle);
    require(!stream.capture);
    stream.capture = std::make_shared<Capture>(stream, mode);
    captures().insert(stream.capture.get());
  });
}

cudaError_t cudaStreamEndCapture(cudaStream_t handle, cudaGraph_t* graph) {
  return api([&] {
    const std::shared_ptr<Capture> capture = stream_of(handle).capture;
    require(graph != nullptr && capture != nullptr && capture->origin == handle);
    *graph = nullptr;
    captures().erase(capture.get());
    capture->origin->capture.reset();
    bool joined = true;
    for (const auto& [stream, waited_for] : capture->forked) {
      stream->capture.reset();
      joined = joined && waited_for;
    }
    require(!capture->invalid, cudaErrorStreamCaptureInvalidated);
    require(joined, cudaErrorStreamCaptureUnjoined);
    *graph = new CUgraph_st{std::make_shared<std::vector<Operation>>(std::move(capture->operations))};
  });
}

cudaError_t cudaStreamIsCapturing(cudaStream_t handle, cudaStreamCaptureStatus* status) {
  return api([&] {
    const auto& capture = stream_of(handle).capture;
    *status = !capture           ? cudaStreamCaptureStatusNone
              : capture->invalid ? cudaStreamCaptureStatusInvalidated
                                 : cudaStreamCaptureStatusActive;
  });
}

cudaError_t cudaGraphInstantiate(cudaGraphExec_t* executable, cudaGraph_t graph, unsigned long long) {
  return api([&] {
    require(executable != nullptr && graph != nullptr);
    *executable = new CUgraphExec_st{graph->operations};
  });
}

cudaError_t cudaGraphUpload(cudaGraphExec_t executable, cudaStream_t stream) {
  return api([&] {
    require(executable != nullptr);
    stream_of(stream);
  });
}

cudaError_t cudaGraphLaunch(cudaGraphExec_t executable, cudaStream_t handle) {
  return api([&] {
    require(executable != nullptr);
    require_no_failure();
    CUstream_st& stream = stream_of(handle);
    for (const Operation& operation : *executable->operations) stream.push(operation);
  });
}

cudaError_t cudaGraphGetNodes(cudaGraph_t graph, cudaGraphNode_t* nodes, size_t* count) {
  return api([&] {
    require(graph != nullptr && count != nullptr);
    require(nodes == nullptr, cudaErrorNotSupported);
    *count = graph->operations->size();
  });
}

cudaError_t cudaGraphExecDestroy(cudaGraphExec_t executable) {
  return api([&] { delete executable; });
}

cudaError_t cudaGraphDestroy(cudaGraph_t graph) {
  return api([&] { delete graph; });
}
