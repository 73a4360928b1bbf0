// Work that is queued again and again: recorded once as a graph, with scratch and host memory that stay where they are.
// No CUDA include. All of it is about the context in use on this thread.
#pragma once
#include <cstddef>
#include <functional>
#include <memory>
#include <vector>

#include "cuda/runtime.h"

namespace ftwt::cuda {

// Launches and copies as one.
class Graph {
 public:
  virtual ~Graph() = default;
  virtual void launch() = 0;  // on the context in use: that of the recording
};

// Runs `queue_work`, which queues and does not wait, and keeps what it has queued instead of doing it.
std::unique_ptr<Graph> record_graph(const std::function<void()>& queue_work);

// While it lives, ops that this thread calls take their scratch from one block, one op after the other. More than the
// block has is given out beyond its end: such work must not run.
class UseScratch {
 public:
  UseScratch(void* block, std::size_t bytes);
  ~UseScratch();
  UseScratch(const UseScratch&) = delete;
  UseScratch& operator=(const UseScratch&) = delete;

  bool sufficed() const { return peak_ <= bytes_; }
  std::size_t peak() const { return peak_; }

 private:
  friend class DeviceBuffer;
  void* block_;
  std::size_t bytes_;
  std::size_t used_ = 0, peak_ = 0;
  UseScratch* outer_;
};

// Host memory that copies read and write without a wait.
class HostBlock {
 public:
  explicit HostBlock(std::size_t bytes);
  ~HostBlock();
  HostBlock(const HostBlock&) = delete;
  HostBlock& operator=(const HostBlock&) = delete;

  template <typename T>
  T* as() const {
    return static_cast<T*>(data_);
  }

 private:
  void* data_ = nullptr;
};

// `from` and `to` on the host are of a HostBlock.
void queue_upload(void* to, const void* from, std::size_t bytes);
void queue_download(void* to, const void* from, std::size_t bytes);

// The device's time between points of the stream.
class Stopwatch {
 public:
  virtual ~Stopwatch() = default;
  virtual void mark() = 0;
  virtual std::vector<double> milliseconds() = 0;  // from each mark to the next; waits
};

std::unique_ptr<Stopwatch> start_stopwatch();

}  // namespace ftwt::cuda
