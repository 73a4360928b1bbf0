// Capture and replay.
#include <atomic>
#include <chrono>
#include <thread>

#include "emulator/tests/runner.h"

namespace ftwt::emulator::tests {

namespace {

__global__ void add(int* x, int value) { *x += value; }
__global__ void multiply(int* x, int value) { *x *= value; }

struct Stream {
  cudaStream_t handle = nullptr;
  Stream() { CUDA_CHECK(cudaStreamCreateWithFlags(&handle, cudaStreamNonBlocking)); }
  ~Stream() { cudaStreamDestroy(handle); }
};

void begin(const Stream& stream, cudaStreamCaptureMode mode = cudaStreamCaptureModeThreadLocal) {
  CUDA_CHECK(cudaStreamBeginCapture(stream.handle, mode));
}

cudaGraphExec_t end(const Stream& stream, size_t expected_nodes) {
  cudaGraph_t graph;
  cudaGraphExec_t executable;
  size_t nodes = 0;
  CUDA_CHECK(cudaStreamEndCapture(stream.handle, &graph));
  CUDA_CHECK(cudaGraphGetNodes(graph, nullptr, &nodes));
  check_equal(nodes, expected_nodes);
  CUDA_CHECK(cudaGraphInstantiate(&executable, graph, 0));
  CUDA_CHECK(cudaGraphDestroy(graph));
  return executable;
}

TEST(graph_replays_what_was_captured) {
  const Stream stream;
  const Array<int> x(std::vector<int>{1});
  int* input = nullptr;
  CUDA_CHECK(cudaHostAlloc(&input, sizeof(int), cudaHostAllocDefault));
  begin(stream);
  CUDA_CHECK(cudaMemcpyAsync(x.data(), input, sizeof(int), cudaMemcpyHostToDevice, stream.handle));
  cuda::launch(add, 1, 1, 0, stream.handle, x.data(), 1);
  cuda::launch(multiply, 1, 1, 0, stream.handle, x.data(), 10);
  const cudaGraphExec_t graph = end(stream, 3);
  CUDA_CHECK(cudaStreamSynchronize(stream.handle));
  check_equal(x.get()[0], 1, "capturing runs nothing");
  for (const int value : {3, 7}) {
    *input = value;
    CUDA_CHECK(cudaGraphLaunch(graph, stream.handle));
    if (value == 7) CUDA_CHECK(cudaGraphExecDestroy(graph));  // what has been launched still runs
    CUDA_CHECK(cudaStreamSynchronize(stream.handle));
    check_equal(x.get()[0], (value + 1) * 10);
  }
  CUDA_CHECK(cudaFreeHost(input));
}

TEST(capture_follows_events_into_other_streams) {
  const Stream origin, side;
  const Array<int> x(std::vector<int>{1});
  cudaEvent_t fork, join;
  CUDA_CHECK(cudaEventCreateWithFlags(&fork, cudaEventDisableTiming));
  CUDA_CHECK(cudaEventCreateWithFlags(&join, cudaEventDisableTiming));
  const auto capture = [&](bool joins) {
    begin(origin);
    cuda::launch(add, 1, 1, 0, origin.handle, x.data(), 1);
    CUDA_CHECK(cudaEventRecord(fork, origin.handle));
    CUDA_CHECK(cudaStreamWaitEvent(side.handle, fork));
    cuda::launch(multiply, 1, 1, 0, side.handle, x.data(), 3);
    CUDA_CHECK(cudaEventRecord(join, side.handle));
    if (joins) CUDA_CHECK(cudaStreamWaitEvent(origin.handle, join));
  };
  capture(true);
  const cudaGraphExec_t graph = end(origin, 2);
  CUDA_CHECK(cudaGraphLaunch(graph, origin.handle));
  CUDA_CHECK(cudaStreamSynchronize(origin.handle));
  check_equal(x.get()[0], 6);
  CUDA_CHECK(cudaGraphExecDestroy(graph));

  capture(false);
  cudaGraph_t unjoined;
  check_equal(cudaStreamEndCapture(origin.handle, &unjoined), cudaErrorStreamCaptureUnjoined);
  cudaGetLastError();
  CUDA_CHECK(cudaEventDestroy(fork));
  CUDA_CHECK(cudaEventDestroy(join));
}

TEST(graphs_hold_host_functions) {
  const Stream stream;
  static std::atomic<int> calls;
  calls = 0;
  begin(stream);
  CUDA_CHECK(cudaLaunchHostFunc(
      stream.handle, [](void*) { ++calls; }, nullptr));
  const cudaGraphExec_t graph = end(stream, 1);
  check_equal(calls.load(), 0);
  CUDA_CHECK(cudaGraphLaunch(graph, stream.handle));
  for (int i = 0; i < 5000 && calls == 0; ++i) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  check_equal(calls.load(), 1);
  CUDA_CHECK(cudaGraphExecDestroy(graph));
}

TEST(waiting_and_allocating_break_a_capture) {
  const Stream stream;
  cudaGraph_t graph;
  const auto breaks = [&](auto call) {
    begin(stream, cudaStreamCaptureModeGlobal);
    check_equal(call(), cudaErrorStreamCaptureUnsupported);
    cudaStreamCaptureStatus status;
    CUDA_CHECK(cudaStreamIsCapturing(stream.handle, &status));
    check_equal(status, cudaStreamCaptureStatusInvalidated);
    check_equal(cudaStreamEndCapture(stream.handle, &graph), cudaErrorStreamCaptureInvalidated);
    cudaGetLastError();
  };
  breaks([&] { return cudaStreamSynchronize(stream.handle); });
  breaks([&] { return cudaDeviceSynchronize(); });
  breaks([&] {
    void* memory;
    return cudaMalloc(&memory, 4);
  });
  CUDA_CHECK(cudaStreamSynchronize(stream.handle));
}

}  // namespace

}  // namespace ftwt::emulator::tests
