// Device memory as JavaScript holds it: an External that frees its block when it is released or garbage collected.
#pragma once
#include <napi.h>

#include <cstddef>
#include <memory>

#include "cuda/runtime.h"

namespace ftwt::binding {

class DeviceBlock {
 public:
  DeviceBlock(std::shared_ptr<cuda::Context> context, std::size_t bytes)
      : context_(std::move(context)), bytes_(bytes), data_(context_->allocate(bytes)) {}
  ~DeviceBlock() { release(); }
  DeviceBlock(const DeviceBlock&) = delete;
  DeviceBlock& operator=(const DeviceBlock&) = delete;

  void release() noexcept {
    if (data_ != nullptr) context_->free(data_);
    data_ = nullptr;
  }

  cuda::Context& context() const { return *context_; }
  std::size_t bytes() const { return bytes_; }
  void* data() const { return data_; }  // nullptr once released

 private:
  std::shared_ptr<cuda::Context> context_;
  std::size_t bytes_;
  void* data_;
};

// Throws InvalidArgument, with `name`, for anything but a block that has not been released.
DeviceBlock& device_block(const Napi::Value& value, const char* name);

// Throws InvalidArgument for anything but a device that deviceOpen has returned.
const std::shared_ptr<cuda::Context>& device_context(const Napi::Value& value);

// The functions deviceOpen, deviceAllocate and so on (src/binding.ts).
void export_device(Napi::Env env, Napi::Object exports);

}  // namespace ftwt::binding
