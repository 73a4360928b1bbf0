// Devices, contexts and their memory. That of a backend comes from a pool (cudaMallocFromPoolAsync): freed blocks are
// reused in stream order without waiting, and nothing goes back to the driver until `trim`. Each pool takes addresses
// for the device's whole memory, of which a process has enough for some hundreds: what comes in numbers has none.
#include "cuda/runtime.h"

#include <cstring>
#include <utility>

#include "cuda/check.h"
#include "cuda/context.h"

#ifdef FTWT_EMULATOR
#include "emulator/control.h"
#endif

namespace ftwt::cuda {
namespace {

class DeviceContext;
thread_local DeviceContext* current = nullptr;

// cudaSetDevice for a scope: the device is a property of the calling thread.
class DeviceScope {
 public:
  explicit DeviceScope(int device) {
    CUDA_CHECK(cudaGetDevice(&outer_));
    if (outer_ != device) CUDA_CHECK(cudaSetDevice(device));
    device_ = device;
  }
  ~DeviceScope() {
    if (outer_ != device_) cudaSetDevice(outer_);
  }

 private:
  int outer_ = 0;
  int device_ = 0;
};

class PinnedDownload final : public Download {
 public:
  PinnedDownload(std::shared_ptr<Context> owner, int device, cudaStream_t stream, const void* from, std::size_t bytes)
      : owner_(std::move(owner)), device_(device), bytes_(bytes) {
    const DeviceScope scope(device_);
    CUDA_CHECK(cudaHostAlloc(&staging_, bytes_, cudaHostAllocDefault));
    cudaError_t status = cudaEventCreateWithFlags(&arrived_, cudaEventDisableTiming | cudaEventBlockingSync);
    if (status == cudaSuccess) status = cudaMemcpyAsync(staging_, from, bytes_, cudaMemcpyDeviceToHost, stream);
    if (status == cudaSuccess) status = cudaEventRecord(arrived_, stream);
    if (status != cudaSuccess) {
      release();
      CUDA_CHECK(status);
    }
  }
  ~PinnedDownload() override {
    if (arrived_ != nullptr) cudaEventSynchronize(arrived_);
    release();
  }
  void wait(void* to) override {
    const DeviceScope scope(device_);
    CUDA_CHECK(cudaEventSynchronize(arrived_));
    std::memcpy(to, staging_, bytes_);
  }

 private:
  void release() {
    if (arrived_ != nullptr) cudaEventDestroy(arrived_);
    if (staging_ != nullptr) cudaFreeHost(staging_);
  }

  std::shared_ptr<Context> owner_;
  int device_;
  std::size_t bytes_;
  void* staging_ = nullptr;
  cudaEvent_t arrived_ = nullptr;
};

class DeviceContext final : public Context, public std::enable_shared_from_this<DeviceContext> {
 public:
  DeviceContext(int device, bool pooled) : device_(device) {
    const DeviceScope scope(device_);
    cudaDeviceProp properties;
    CUDA_CHECK(cudaGetDeviceProperties(&properties, device_));
    limits_ = {properties.major * 10 + properties.minor, properties.multiProcessorCount,
               static_cast<int>(properties.sharedMemPerBlockOptin)};
    CUDA_CHECK(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking));
    if (!pooled) return;
    cudaMemPoolProps pool = {};
    pool.allocType = cudaMemAllocationTypePinned;
    pool.location.type = cudaMemLocationTypeDevice;
    pool.location.id = device_;
    cudaError_t status = cudaMemPoolCreate(&pool_, &pool);
    uint64_t keep_all = UINT64_MAX;
    if (status == cudaSuccess) {
      status = cudaMemPoolSetAttribute(pool_, cudaMemPoolAttrReleaseThreshold, &keep_all);
    }
    if (status != cudaSuccess) {
      release();
      CUDA_CHECK(status);
    }
  }
  ~DeviceContext() override { release(); }

  void* allocate(std::size_t bytes) override {
    const DeviceScope scope(device_);
    void* block = nullptr;
    cudaError_t status = take(&block, bytes);
    if (status == cudaErrorMemoryAllocation) {
      cudaGetLastError();  // clears it
      synchronize();
      trim();
      status = take(&block, bytes);
    }
    if (status == cudaErrorMemoryAllocation) {
      cudaGetLastError();
      const MemoryUse use = memory();
      throw Error(
          ErrorCode::OutOfMemory,
          "Out of device memory: expected " + std::to_string(bytes) + " bytes on device " + std::to_string(device_) +
              ", got " + std::to_string(use.free) + " free of " + std::to_string(use.total) +
              (pool_ == nullptr ? std::string() : " (" + std::to_string(use.used) + " in use by this backend)"));
    }
    CUDA_CHECK(status);
    return block;
  }

  void free(void* block) noexcept override { pool_ == nullptr ? cudaFree(block) : cudaFreeAsync(block, stream_); }

  void upload(void* to, const void* from, std::size_t bytes) override {
    const DeviceScope scope(device_);
    // From pageable memory: returns once `from` has been read.
    CUDA_CHECK(cudaMemcpyAsync(to, from, bytes, cudaMemcpyHostToDevice, stream_));
  }

  void download(void* to, const void* from, std::size_t bytes) override {
    const DeviceScope scope(device_);
    CUDA_CHECK(cudaMemcpyAsync(to, from, bytes, cudaMemcpyDeviceToHost, stream_));
    CUDA_CHECK(cudaStreamSynchronize(stream_));
  }

  std::unique_ptr<Download> start_download(const void* from, std::size_t bytes) override {
    return std::make_unique<PinnedDownload>(shared_from_this(), device_, stream_, from, bytes);
  }

  void synchronize() override {
    const DeviceScope scope(device_);
    CUDA_CHECK(cudaStreamSynchronize(stream_));
  }

  void trim() override {
    if (pool_ == nullptr) return;
    const DeviceScope scope(device_);
    CUDA_CHECK(cudaMemPoolTrimTo(pool_, 0));
  }

  MemoryUse memory() override {
    const DeviceScope scope(device_);
    MemoryUse use = {};
    if (pool_ != nullptr) {
      CUDA_CHECK(cudaMemPoolGetAttribute(pool_, cudaMemPoolAttrUsedMemCurrent, &use.used));
      CUDA_CHECK(cudaMemPoolGetAttribute(pool_, cudaMemPoolAttrReservedMemCurrent, &use.reserved));
    }
    std::size_t free_bytes = 0, total_bytes = 0;
    CUDA_CHECK(cudaMemGetInfo(&free_bytes, &total_bytes));
    use.free = free_bytes;
    use.total = total_bytes;
    return use;
  }

  void set_precision(Precision precision) override {
    if (precision == Precision::Tf32 && limits_.compute_capability < 80) {
      throw Error(ErrorCode::InvalidArgument, "TF32 needs a device of compute capability 8.0 or higher, got " +
                                                  std::to_string(limits_.compute_capability / 10) + "." +
                                                  std::to_string(limits_.compute_capability % 10));
    }
    precision_ = precision;
  }

  std::shared_ptr<Context> another() const override {
    auto context = std::make_shared<DeviceContext>(device_, false);
    context->precision_ = precision_;
    return context;
  }

  int device() const { return device_; }
  Precision precision() const { return precision_; }
  cudaStream_t stream() const { return stream_; }
  const DeviceLimits& limits() const { return limits_; }

 private:
  cudaError_t take(void** block, std::size_t bytes) {
    return pool_ == nullptr ? cudaMalloc(block, bytes) : cudaMallocFromPoolAsync(block, bytes, pool_, stream_);
  }

  void release() noexcept {
    if (stream_ != nullptr) {
      cudaStreamSynchronize(stream_);
      cudaStreamDestroy(stream_);
    }
    if (pool_ != nullptr) cudaMemPoolDestroy(pool_);
    cudaGetLastError();
  }

  int device_;
  DeviceLimits limits_ = {};
  Precision precision_ = Precision::Fp32;
  cudaStream_t stream_ = nullptr;
  cudaMemPool_t pool_ = nullptr;
};

DeviceContext& in_use() {
  if (current == nullptr) throw Error(ErrorCode::Internal, "A CUDA op was called without a device");
  return *current;
}

}  // namespace

DeviceList list_devices() {
  DeviceList list{true, "", {}};
  int count = 0;
  cudaError_t status = cudaGetDeviceCount(&count);
  for (int i = 0; status == cudaSuccess && i < count; ++i) {
    cudaDeviceProp properties;
    status = cudaGetDeviceProperties(&properties, i);
    if (status != cudaSuccess) break;
    list.devices.push_back({i, properties.name, properties.major, properties.minor, properties.totalGlobalMem,
                            properties.multiProcessorCount});
  }
  if (status != cudaSuccess) {
    cudaGetLastError();  // clears it
    list.devices.clear();
    list.reason = std::string(cudaGetErrorName(status)) + ": " + cudaGetErrorString(status);
  } else if (count == 0) {
    list.reason = "the CUDA driver reports no device";
  }
  return list;
}

std::shared_ptr<Context> open_device(int index) {
  const DeviceList list = list_devices();
  if (list.devices.empty()) throw Error(ErrorCode::NoDevice, "No CUDA device: " + list.reason);
  const auto count = static_cast<int>(list.devices.size());
  if (index < 0 || index >= count) {
    throw Error(ErrorCode::NoDevice,
                "Expected a CUDA device from 0 to " + std::to_string(count - 1) + ", got " + std::to_string(index));
  }
  return std::make_shared<DeviceContext>(index, true);
}

#ifdef FTWT_EMULATOR
void set_schedule(const std::string& order) {
  using emulator::Order;
  const std::pair<const char*, Order> orders[] = {
      {"forward", Order::Forward}, {"reverse", Order::Reverse}, {"random", Order::Random}, {"depth", Order::Depth}};
  for (const auto& [name, value] : orders) {
    if (order == name) return emulator::set_schedule(value);
  }
  throw Error(ErrorCode::InvalidArgument, "Expected the schedule forward, reverse, random or depth, got " + order);
}
#else
void set_schedule(const std::string&) { throw Error(ErrorCode::InvalidArgument, "Only the emulator has schedules"); }
#endif

UseContext::UseContext(Context& context) : outer_(current) {
  auto& device_context = static_cast<DeviceContext&>(context);
  int device = 0;
  CUDA_CHECK(cudaGetDevice(&device));
  if (device != device_context.device()) CUDA_CHECK(cudaSetDevice(device_context.device()));
  current = &device_context;
}

UseContext::~UseContext() { current = static_cast<DeviceContext*>(outer_); }

Context& current_context() { return in_use(); }

cudaStream_t current_stream() { return in_use().stream(); }

const DeviceLimits& current_limits() { return in_use().limits(); }

Precision current_precision() { return in_use().precision(); }

}  // namespace ftwt::cuda
