// Device memory as JavaScript holds it: an External that frees its block when it is released or garbage collected.
#pragma once
#include <napi.h>

#include <memory>

#include "cuda/runtime.h"

namespace ftwt::binding {

using cuda::DeviceBlock;

// Throws InvalidArgument, with `name`, for anything but a block that has not been released.
DeviceBlock& device_block(const Napi::Value& value, const char* name);

// Throws InvalidArgument for anything but a device that deviceOpen has returned.
const std::shared_ptr<cuda::Context>& device_context(const Napi::Value& value);

// `fp32` or `tf32`; throws InvalidArgument for anything else.
cuda::Precision read_precision(const Napi::Value& value);

// The functions deviceOpen, deviceAllocate and so on (src/binding.ts).
void export_device(Napi::Env env, Napi::Object exports);

}  // namespace ftwt::binding
