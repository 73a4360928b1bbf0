// GPUs as the rest of the addon sees them. No CUDA include: this header is also read where there is no CUDA compiler.
#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace ftwt::cuda {

struct Device {
  int index;
  std::string name;
  int compute_major;
  int compute_minor;
  uint64_t memory_bytes;
  int multiprocessors;
};

struct DeviceList {
  bool built;          // false: the addon was built without CUDA
  std::string reason;  // why `devices` is empty; empty otherwise
  std::vector<Device> devices;
};

DeviceList list_devices();

struct MemoryUse {
  uint64_t used;      // bytes handed out by `allocate`; 0 without a pool
  uint64_t reserved;  // bytes that the pool holds, idle ones included
  uint64_t free;      // bytes that the device has left
  uint64_t total;
};

// Of the products in convolutions and matrix products; sums are float32.
enum class Precision { Fp32, Tf32 };

// Bytes on their way to the host: `wait` may be called on any thread.
class Download {
 public:
  virtual ~Download() = default;
  // Blocks until they have arrived, then copies them to `to`.
  virtual void wait(void* to) = 0;
};

// One device as one backend or one session uses it: a stream in whose order everything happens, and memory.
// Used by one thread, except that `free` may be called by any.
class Context {
 public:
  virtual ~Context() = default;
  // Uninitialised, 256-byte aligned. Throws OutOfMemory, once the pool has been trimmed in vain.
  virtual void* allocate(std::size_t bytes) = 0;
  virtual void free(void* block) noexcept = 0;
  // `from` may be reused at once.
  virtual void upload(void* to, const void* from, std::size_t bytes) = 0;
  // Waits.
  virtual void download(void* to, const void* from, std::size_t bytes) = 0;
  virtual std::unique_ptr<Download> start_download(const void* from, std::size_t bytes) = 0;
  // Waits for everything so far; throws what went wrong in it.
  virtual void synchronize() = 0;
  // Gives idle memory of the pool back.
  virtual void trim() = 0;
  virtual MemoryUse memory() = 0;
  // Of the ops from now on. Tf32 on a device without it (before compute capability 8.0): InvalidArgument.
  virtual void set_precision(Precision precision) = 0;
  // Another one of the same device and precision, with a stream of its own and without a pool: its memory is the
  // driver's, and goes back to it at once, once all work of the device is done.
  virtual std::shared_ptr<Context> another() const = 0;
};

// Memory of a context; any thread may release it.
class DeviceBlock {
 public:
  DeviceBlock(std::shared_ptr<Context> context, std::size_t bytes)
      : context_(std::move(context)), bytes_(bytes), data_(context_->allocate(bytes)) {}
  ~DeviceBlock() { release(); }
  DeviceBlock(const DeviceBlock&) = delete;
  DeviceBlock& operator=(const DeviceBlock&) = delete;

  void release() noexcept {
    if (data_ != nullptr) context_->free(data_);
    data_ = nullptr;
  }

  Context& context() const { return *context_; }
  std::size_t bytes() const { return bytes_; }
  void* data() const { return data_; }  // nullptr once released

 private:
  std::shared_ptr<Context> context_;
  std::size_t bytes_;
  void* data_;
};

// Throws NoDevice with the driver's reason.
std::shared_ptr<Context> open_device(int index);

// The emulator's order of threads: forward, reverse, random or depth. InvalidArgument on a real GPU.
void set_schedule(const std::string& order);

// While it lives, the ops that this thread calls run on `context`.
class UseContext {
 public:
  explicit UseContext(Context& context);
  ~UseContext();
  UseContext(const UseContext&) = delete;
  UseContext& operator=(const UseContext&) = delete;

 private:
  Context* outer_;
};

}  // namespace ftwt::cuda
