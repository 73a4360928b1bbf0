// Streams and events: what has run when, and host threads side by side.
#include <atomic>
#include <chrono>
#include <thread>

#include "emulator/tests/runner.h"

namespace ftwt::emulator::tests {

namespace {

struct Stream {
  cudaStream_t handle = nullptr;
  explicit Stream(unsigned flags = cudaStreamNonBlocking) { CUDA_CHECK(cudaStreamCreateWithFlags(&handle, flags)); }
  ~Stream() { cudaStreamDestroy(handle); }
};

struct Event {
  cudaEvent_t handle = nullptr;
  explicit Event(unsigned flags = cudaEventDefault) { CUDA_CHECK(cudaEventCreateWithFlags(&handle, flags)); }
  ~Event() { cudaEventDestroy(handle); }
};

// Page-locked numbers, which a stream writes when it gets there.
struct Pinned {
  int* data = nullptr;
  explicit Pinned(int value) {
    CUDA_CHECK(cudaHostAlloc(&data, sizeof(int), cudaHostAllocDefault));
    *data = value;
  }
  ~Pinned() { cudaFreeHost(data); }
};

__global__ void add(int* x, int value) { *x += value; }
__global__ void copy(const int* from, int* to) { *to = *from; }

void read_back(const Array<int>& x, const Pinned& to, const Stream& stream) {
  CUDA_CHECK(cudaMemcpyAsync(to.data, x.data(), sizeof(int), cudaMemcpyDeviceToHost, stream.handle));
}

TEST(without_a_wait_nothing_has_run) {
  const Stream stream;
  const Array<int> x(std::vector<int>{1});
  const Pinned y(-1);
  cuda::launch(add, 1, 1, 0, stream.handle, x.data(), 41);
  read_back(x, y, stream);
  check_equal(*y.data, -1, "before the wait");
  CUDA_CHECK(cudaStreamSynchronize(stream.handle));
  check_equal(*y.data, 42, "after the wait");
}

TEST(synchronous_copies_do_not_wait_for_nonblocking_streams) {
  const Stream apart(cudaStreamNonBlocking), blocking(cudaStreamDefault);
  const Array<int> x(std::vector<int>{1}), y(std::vector<int>{1});
  cuda::launch(add, 1, 1, 0, apart.handle, x.data(), 1);
  cuda::launch(add, 1, 1, 0, blocking.handle, y.data(), 1);
  check_equal(x.get()[0], 1);
  check_equal(y.get()[0], 2);
  CUDA_CHECK(cudaDeviceSynchronize());
  check_equal(x.get()[0], 2);
}

TEST(query_makes_progress) {
  const Stream stream;
  const Array<int> x(std::vector<int>{0});
  check_equal(cudaStreamQuery(stream.handle), cudaSuccess);
  for (int i = 0; i < 3; ++i) cuda::launch(add, 1, 1, 0, stream.handle, x.data(), 1);
  check_equal(cudaStreamQuery(stream.handle), cudaErrorNotReady);
  check_equal(cudaStreamQuery(stream.handle), cudaErrorNotReady);
  check_equal(cudaStreamQuery(stream.handle), cudaSuccess);
  check_equal(cudaGetLastError(), cudaSuccess);
  check_equal(x.get()[0], 3);
}

TEST(events_order_streams) {
  const Stream producer, consumer;
  const Event ready;
  const Array<int> x(std::vector<int>{1}), y(std::vector<int>{0});
  cuda::launch(add, 1, 1, 0, producer.handle, x.data(), 1);
  CUDA_CHECK(cudaEventRecord(ready.handle, producer.handle));
  cuda::launch(add, 1, 1, 0, producer.handle, x.data(), 100);
  CUDA_CHECK(cudaStreamWaitEvent(consumer.handle, ready.handle));
  cuda::launch(copy, 1, 1, 0, consumer.handle, x.data(), y.data());
  CUDA_CHECK(cudaStreamSynchronize(consumer.handle));
  check_equal(y.get()[0], 2, "up to the event, no further");
  CUDA_CHECK(cudaStreamSynchronize(producer.handle));
  check_equal(x.get()[0], 102);
}

TEST(without_the_event_the_consumer_is_early) {
  const Stream producer, consumer;
  const Array<int> x(std::vector<int>{1}), y(std::vector<int>{0});
  cuda::launch(add, 1, 1, 0, producer.handle, x.data(), 1);
  cuda::launch(copy, 1, 1, 0, consumer.handle, x.data(), y.data());
  CUDA_CHECK(cudaStreamSynchronize(consumer.handle));
  check_equal(y.get()[0], 1);
  CUDA_CHECK(cudaDeviceSynchronize());
}

TEST(events_measure_time) {
  const Stream stream;
  const Event start, end, untimed(cudaEventDisableTiming);
  const Array<int> x(std::vector<int>{1});
  CUDA_CHECK(cudaEventRecord(start.handle, stream.handle));
  cuda::launch(add, 100, 1, 0, stream.handle, x.data(), 1);
  CUDA_CHECK(cudaEventRecord(end.handle, stream.handle));
  CUDA_CHECK(cudaEventRecord(untimed.handle, stream.handle));
  float milliseconds = -1;
  check_equal(cudaEventElapsedTime(&milliseconds, start.handle, end.handle), cudaErrorNotReady);
  check_equal(cudaEventQuery(end.handle), cudaErrorNotReady);
  CUDA_CHECK(cudaEventSynchronize(end.handle));
  check_equal(cudaEventQuery(end.handle), cudaSuccess);
  CUDA_CHECK(cudaEventElapsedTime(&milliseconds, start.handle, end.handle));
  check(milliseconds > 0 && milliseconds < 10000, "elapsed");
  check_equal(cudaEventElapsedTime(&milliseconds, start.handle, untimed.handle), cudaErrorInvalidResourceHandle);
  cudaGetLastError();
}

TEST(pageable_sources_are_read_at_the_call_and_pinned_ones_later) {
  const Stream stream;
  const Array<int> x(1), y(1);
  const Pinned pinned(1);
  int pageable = 1;
  CUDA_CHECK(cudaMemcpyAsync(x.data(), &pageable, sizeof(int), cudaMemcpyHostToDevice, stream.handle));
  CUDA_CHECK(cudaMemcpyAsync(y.data(), pinned.data, sizeof(int), cudaMemcpyHostToDevice, stream.handle));
  pageable = *pinned.data = 2;
  CUDA_CHECK(cudaStreamSynchronize(stream.handle));
  check_equal(x.get()[0], 1);
  check_equal(y.get()[0], 2);
}

TEST(destroyed_stream_finishes_its_work) {
  const Array<int> x(std::vector<int>{1});
  {
    const Stream stream;
    cuda::launch(add, 1, 1, 0, stream.handle, x.data(), 1);
  }
  check_equal(x.get()[0], 1);
  CUDA_CHECK(cudaDeviceSynchronize());
  check_equal(x.get()[0], 2);
}

TEST(unknown_handles_are_refused) {
  cudaStream_t gone;
  CUDA_CHECK(cudaStreamCreate(&gone));
  CUDA_CHECK(cudaStreamDestroy(gone));
  check_equal(cudaStreamSynchronize(gone), cudaErrorInvalidResourceHandle);
  check_equal(cudaEventSynchronize(nullptr), cudaErrorInvalidResourceHandle);
  cudaGetLastError();
}

TEST(devices_are_apart) {
  int count = 0;
  CUDA_CHECK(cudaGetDeviceCount(&count));
  check_equal(cudaSetDevice(count), cudaErrorInvalidDevice);
  cudaGetLastError();
  if (count < 2) return;  // FTWT_EMULATOR_DEVICES=2 makes a second
  const Stream of_the_first;
  size_t before, after, total;
  CUDA_CHECK(cudaMemGetInfo(&before, &total));
  CUDA_CHECK(cudaSetDevice(1));
  {
    const Array<int> x(std::vector<int>{1});
    check_contains(failure_of([&] { cuda::launch(add, 1, 1, 0, of_the_first.handle, x.data(), 1); }), "ResourceHandle");
    cuda::launch(add, 1, 1, 0, nullptr, x.data(), 1);
    CUDA_CHECK(cudaSetDevice(0));
    CUDA_CHECK(cudaMemGetInfo(&after, &total));
    check_equal(after, before);
    CUDA_CHECK(cudaDeviceSynchronize());
    CUDA_CHECK(cudaSetDevice(1));
    check_equal(x.get()[0], 2);
  }
  CUDA_CHECK(cudaSetDevice(0));
}

__global__ void fail_on_purpose() { __trap(); }

TEST(failure_stays_until_it_is_read) {
  const Stream stream;
  const Array<int> x(std::vector<int>{1});
  cuda::launch(fail_on_purpose, 1, 1, 0, stream.handle);
  cuda::launch(add, 1, 1, 0, stream.handle, x.data(), 1);
  check_equal(cudaStreamSynchronize(stream.handle), cudaErrorLaunchFailure);
  check_equal(cudaMemset(x.data(), 0, 4), cudaErrorLaunchFailure);
  check_contains(cudaGetErrorString(cudaPeekAtLastError()), "__trap");
  check_equal(cudaGetLastError(), cudaErrorLaunchFailure);
  check_equal(cudaGetLastError(), cudaSuccess);
  check_equal(x.get()[0], 1, "what came after the failure was skipped");
}

TEST(host_functions_run_without_a_wait) {
  const Stream stream;
  const Array<int> x(std::vector<int>{1});
  struct Note {
    std::atomic<bool> called{false};
    std::atomic<cudaError_t> refusal{cudaSuccess};
  } note;
  cuda::launch(add, 1, 1, 0, stream.handle, x.data(), 1);
  CUDA_CHECK(cudaLaunchHostFunc(
      stream.handle,
      [](void* data) {
        auto* told = static_cast<Note*>(data);
        told->refusal = cudaDeviceSynchronize();
        told->called = true;
      },
      &note));
  for (int i = 0; i < 5000 && !note.called; ++i) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  check(note.called, "called");
  check_equal(note.refusal.load(), cudaErrorNotPermitted);
  CUDA_CHECK(cudaStreamSynchronize(stream.handle));
  check_equal(x.get()[0], 2);
}

__global__ void count_up(int* x, int value) {
  FTWT_SHARED(int, sum);
  if (threadIdx.x == 0) sum = *x;
  __syncthreads();
  atomicAdd(&sum, value);
  __syncthreads();
  if (threadIdx.x == 0) *x = sum;
}

TEST(host_threads_run_kernels_side_by_side) {
  constexpr int kHostThreads = 3, kLaunches = 50, kThreads = 128;
  std::vector<int> results(kHostThreads, -1);
  std::vector<std::thread> threads;
  for (int i = 0; i < kHostThreads; ++i) {
    threads.emplace_back([i, &results] {
      const Stream stream;
      const Array<int> x(std::vector<int>{0});
      const Pinned y(0);
      for (int launch = 0; launch < kLaunches; ++launch) {
        cuda::launch(count_up, 1, kThreads, 0, stream.handle, x.data(), i + 1);
        CUDA_CHECK(cudaStreamSynchronize(stream.handle));
      }
      read_back(x, y, stream);
      CUDA_CHECK(cudaStreamSynchronize(stream.handle));
      results[i] = *y.data;
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (int i = 0; i < kHostThreads; ++i) check_equal(results[i], kLaunches * kThreads * (i + 1));
}

}  // namespace

}  // namespace ftwt::emulator::tests
