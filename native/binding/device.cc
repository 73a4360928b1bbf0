// Devices, their memory and the ways between it and the host.
#include <napi.h>

#include "binding/device_block.h"
#include "binding/guard.h"
#include "binding/handle.h"

namespace ftwt::binding {
namespace {

constexpr napi_type_tag kContextTag = {0x66747774636f6e74, 0x6465766963650001};
constexpr napi_type_tag kBlockTag = {0x66747774626c6f63, 0x6465766963650002};

using SharedContext = std::shared_ptr<cuda::Context>;

[[noreturn]] void invalid(const std::string& message) { throw Error(ErrorCode::InvalidArgument, message); }

struct HostBytes {
  void* data;
  std::size_t count;
};

HostBytes typed_array(const Napi::Value& value) {
  if (!value.IsTypedArray()) invalid("Expected a typed array");
  const auto array = value.As<Napi::TypedArray>();
  return {static_cast<uint8_t*>(array.ArrayBuffer().Data()) + array.ByteOffset(), array.ByteLength()};
}

// Both hold the same bytes: no copy is cut short in silence.
void check_same_size(const DeviceBlock& block, const HostBytes& host) {
  if (host.count > block.bytes()) {
    invalid("Expected at most " + std::to_string(block.bytes()) + " bytes, got " + std::to_string(host.count));
  }
}

Napi::Value devices(const Napi::CallbackInfo& call) {
  Napi::Env env = call.Env();
  const cuda::DeviceList list = cuda::list_devices();
  Napi::Object result = Napi::Object::New(env);
  result.Set("built", list.built);
  result.Set("reason", list.reason);
  Napi::Array devices = Napi::Array::New(env);
  for (const cuda::Device& device : list.devices) {
    Napi::Object entry = Napi::Object::New(env);
    entry.Set("index", device.index);
    entry.Set("name", device.name);
    entry.Set("computeCapability", std::to_string(device.compute_major) + "." + std::to_string(device.compute_minor));
    entry.Set("memoryBytes", static_cast<double>(device.memory_bytes));
    entry.Set("multiprocessors", device.multiprocessors);
    devices.Set(devices.Length(), entry);
  }
  result.Set("devices", devices);
  return result;
}

Napi::Value open(const Napi::CallbackInfo& info) {
  if (!info[0].IsNumber()) invalid("Expected the index of a device");
  auto context = std::make_unique<SharedContext>(cuda::open_device(info[0].As<Napi::Number>().Int32Value()));
  return make_handle(info.Env(), std::move(context), kContextTag);
}

Napi::Value allocate(const Napi::CallbackInfo& info) {
  const SharedContext& context = device_context(info[0]);
  const double bytes = info[1].IsNumber() ? info[1].As<Napi::Number>().DoubleValue() : 0;
  if (!(bytes >= 1 && bytes <= 9007199254740991.0)) invalid("Expected a positive number of bytes");
  return make_handle(info.Env(), std::make_unique<DeviceBlock>(context, static_cast<std::size_t>(bytes)), kBlockTag);
}

Napi::Value release(const Napi::CallbackInfo& info) {
  auto* block = open_handle<DeviceBlock>(info[0], kBlockTag);
  if (block == nullptr) invalid("Expected device memory");
  block->release();
  return info.Env().Undefined();
}

Napi::Value upload(const Napi::CallbackInfo& info) {
  DeviceBlock& block = device_block(info[0], "to");
  const HostBytes host = typed_array(info[1]);
  check_same_size(block, host);
  if (host.count > 0) block.context().upload(block.data(), host.data, host.count);
  return info.Env().Undefined();
}

Napi::Value download(const Napi::CallbackInfo& info) {
  DeviceBlock& block = device_block(info[0], "from");
  const HostBytes host = typed_array(info[1]);
  check_same_size(block, host);
  if (host.count > 0) block.context().download(host.data, block.data(), host.count);
  return info.Env().Undefined();
}

// Waits on a thread of libuv's pool, so that JavaScript goes on meanwhile.
class DownloadWorker final : public Napi::AsyncWorker {
 public:
  DownloadWorker(Napi::Env env, std::unique_ptr<cuda::Download> download, Napi::TypedArray target)
      : AsyncWorker(env),
        download_(std::move(download)),
        target_(Napi::Persistent(target.As<Napi::Object>())),
        data_(typed_array(target).data),
        deferred_(Napi::Promise::Deferred::New(env)) {}

  Napi::Promise promise() const { return deferred_.Promise(); }

 private:
  void Execute() override {
    try {
      download_->wait(data_);
    } catch (const Error& error) {
      code_ = error.code;
      SetError(error.what());
    }
  }
  void OnOK() override { deferred_.Resolve(target_.Value()); }
  void OnError(const Napi::Error& error) override {
    error.Set("code", Napi::String::New(Env(), code_name(code_)));
    deferred_.Reject(error.Value());
  }

  std::unique_ptr<cuda::Download> download_;
  Napi::ObjectReference target_;
  void* data_;
  Napi::Promise::Deferred deferred_;
  ErrorCode code_ = ErrorCode::Internal;
};

Napi::Value download_async(const Napi::CallbackInfo& info) {
  DeviceBlock& block = device_block(info[0], "from");
  const HostBytes host = typed_array(info[1]);
  check_same_size(block, host);
  auto* worker = new DownloadWorker(info.Env(), block.context().start_download(block.data(), host.count),
                                    info[1].As<Napi::TypedArray>());
  const Napi::Promise promise = worker->promise();
  worker->Queue();
  return promise;
}

Napi::Value synchronize(const Napi::CallbackInfo& info) {
  device_context(info[0])->synchronize();
  return info.Env().Undefined();
}

Napi::Value trim(const Napi::CallbackInfo& info) {
  const SharedContext& context = device_context(info[0]);
  context->synchronize();
  context->trim();
  return info.Env().Undefined();
}

Napi::Value memory(const Napi::CallbackInfo& info) {
  const cuda::MemoryUse use = device_context(info[0])->memory();
  Napi::Object result = Napi::Object::New(info.Env());
  result.Set("used", static_cast<double>(use.used));
  result.Set("reserved", static_cast<double>(use.reserved));
  result.Set("free", static_cast<double>(use.free));
  result.Set("total", static_cast<double>(use.total));
  return result;
}

Napi::Value set_precision(const Napi::CallbackInfo& info) {
  const SharedContext& context = device_context(info[0]);
  context->set_precision(read_precision(info[1]));
  return info.Env().Undefined();
}

Napi::Value set_schedule(const Napi::CallbackInfo& info) {
  cuda::set_schedule(info[0].ToString().Utf8Value());
  return info.Env().Undefined();
}

}  // namespace

const std::shared_ptr<cuda::Context>& device_context(const Napi::Value& value) {
  const auto* context = open_handle<SharedContext>(value, kContextTag);
  if (context == nullptr) invalid("Expected a device that deviceOpen has returned");
  return *context;
}

cuda::Precision read_precision(const Napi::Value& value) {
  const std::string name = value.ToString().Utf8Value();
  if (name != "fp32" && name != "tf32") invalid("Expected the precision fp32 or tf32, got " + name);
  return name == "tf32" ? cuda::Precision::Tf32 : cuda::Precision::Fp32;
}

DeviceBlock& device_block(const Napi::Value& value, const char* name) {
  auto* block = open_handle<DeviceBlock>(value, kBlockTag);
  if (block == nullptr) invalid(std::string(name) + ": expected device memory");
  if (block->data() == nullptr) invalid(std::string(name) + ": expected device memory that is not released");
  return *block;
}

void export_device(Napi::Env env, Napi::Object exports) {
  exports.Set("cudaDevices", Napi::Function::New(env, guarded<devices>, "cudaDevices"));
  exports.Set("deviceOpen", Napi::Function::New(env, guarded<open>, "deviceOpen"));
  exports.Set("deviceAllocate", Napi::Function::New(env, guarded<allocate>, "deviceAllocate"));
  exports.Set("deviceRelease", Napi::Function::New(env, guarded<release>, "deviceRelease"));
  exports.Set("deviceUpload", Napi::Function::New(env, guarded<upload>, "deviceUpload"));
  exports.Set("deviceDownload", Napi::Function::New(env, guarded<download>, "deviceDownload"));
  exports.Set("deviceDownloadAsync", Napi::Function::New(env, guarded<download_async>, "deviceDownloadAsync"));
  exports.Set("deviceSynchronize", Napi::Function::New(env, guarded<synchronize>, "deviceSynchronize"));
  exports.Set("deviceTrim", Napi::Function::New(env, guarded<trim>, "deviceTrim"));
  exports.Set("deviceSetPrecision", Napi::Function::New(env, guarded<set_precision>, "deviceSetPrecision"));
  exports.Set("setSchedule", Napi::Function::New(env, guarded<set_schedule>, "setSchedule"));
  exports.Set("deviceMemory", Napi::Function::New(env, guarded<memory>, "deviceMemory"));
}

}  // namespace ftwt::binding
