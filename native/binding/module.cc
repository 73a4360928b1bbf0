// The addon's surface. src/binding.ts is its type.
#include <napi.h>

#include <memory>
#include <mutex>
#include <shared_mutex>
#include <span>
#include <string>
#include <utility>

#include "binding/device_block.h"
#include "binding/guard.h"
#include "binding/ops.h"
#include "binding/session.h"
#include "binding/settings.h"
#include "cpu/dispatch.h"
#include "cpu/memory.h"
#include "cpu/scratch.h"
#include "cpu/thread_pool.h"

namespace ftwt::binding {

std::shared_mutex settings;

namespace {

template <Placement placement>
Napi::Value run_op(const Napi::CallbackInfo& info) {
  const auto* entry = static_cast<const OpEntry*>(info.Data());
  return guard(info.Env(), [&] {
    const std::shared_lock lock(settings);
    entry->run(Fields(info, placement));
    return info.Env().Undefined();
  });
}

Napi::Function op_function(Napi::Env env, const OpEntry& entry, Placement placement) {
  const auto run = placement == Placement::Host ? run_op<Placement::Host> : run_op<Placement::Device>;
  return Napi::Function::New(env, run, entry.name, const_cast<OpEntry*>(&entry));
}

// A block that is freed once, by whoever comes first.
class HostBlock {
 public:
  explicit HostBlock(std::size_t bytes) : data_(cpu::allocate_block(bytes)) {}
  ~HostBlock() { release(); }
  HostBlock(const HostBlock&) = delete;
  HostBlock& operator=(const HostBlock&) = delete;

  void release() noexcept {
    if (data_ != nullptr) cpu::free_block(std::exchange(data_, nullptr));
  }
  void* data() const { return data_; }

 private:
  void* data_;
};

Napi::Value allocate(const Napi::CallbackInfo& info) {
  return guard(info.Env(), [&]() -> Napi::Value {
    const Napi::Env env = info.Env();
    const double wanted = info[0].IsNumber() ? info[0].As<Napi::Number>().DoubleValue() : 0;
    if (!(wanted >= 1 && wanted <= kMaxLength)) {
      throw Error(ErrorCode::InvalidArgument, "allocate: expected a positive number of bytes");
    }
    const auto bytes = static_cast<std::size_t>(wanted);
    const auto block = std::make_shared<HostBlock>(bytes);
    auto share = std::make_unique<std::shared_ptr<HostBlock>>(block);
    const auto finalize = [](napi_env, void*, void* hint) { delete static_cast<std::shared_ptr<HostBlock>*>(hint); };
    napi_value buffer;
    // Where this fails, Node may have called the finalizer (above the largest length of a Buffer) or never will: that
    // share may be lost, the block is not.
    if (napi_create_external_arraybuffer(env, block->data(), bytes, finalize, share.release(), &buffer) != napi_ok) {
      block->release();
      napi_value ignored;
      napi_get_and_clear_last_exception(env, &ignored);
      throw Error(ErrorCode::OutOfMemory, "Cannot make an array of " + std::to_string(bytes) + " bytes");
    }
    return Napi::Value(env, buffer);
  });
}

Napi::Value set_threads(const Napi::CallbackInfo& info) {
  return guard(info.Env(), [&] {
    const double count = info[0].IsNumber() ? info[0].As<Napi::Number>().DoubleValue() : 0;
    if (!(count >= 1 && count <= cpu::kMostThreads) || count != static_cast<int>(count)) {
      throw Error(ErrorCode::InvalidArgument,
                  "Expected the number of threads to be an integer from 1 to " + std::to_string(cpu::kMostThreads));
    }
    const std::unique_lock lock(settings);
    cpu::set_thread_count(static_cast<int>(count));
    return info.Env().Undefined();
  });
}

Napi::Value set_instruction_set(const Napi::CallbackInfo& info) {
  return guard(info.Env(), [&] {
    const std::string name = info[0].ToString().Utf8Value();
    const std::unique_lock lock(settings);
    cpu::set_isa(name);
    return info.Env().Undefined();
  });
}

Napi::Value info(const Napi::CallbackInfo& call) {
  Napi::Env env = call.Env();
  Napi::Object result = Napi::Object::New(env);
  result.Set("instructionSet", cpu::isa_name(cpu::current_isa()));
  Napi::Array isas = Napi::Array::New(env);
  for (const std::string& name : cpu::supported_isas()) isas.Set(isas.Length(), name);
  result.Set("instructionSets", isas);
  result.Set("threads", cpu::thread_count());
  result.Set("liveBlocks", static_cast<double>(cpu::live_block_count()));
  result.Set("scratchBlocks", static_cast<double>(cpu::scratch_block_count()));
  return result;
}

Napi::Object initialise(Napi::Env env, Napi::Object exports) {
  exports.Set("allocate", Napi::Function::New(env, allocate, "allocate"));
  exports.Set("setThreads", Napi::Function::New(env, set_threads, "setThreads"));
  exports.Set("setInstructionSet", Napi::Function::New(env, set_instruction_set, "setInstructionSet"));
  exports.Set("info", Napi::Function::New(env, info, "info"));
  export_device(env, exports);
  export_session(env, exports);
  const std::span<const OpEntry> families[] = {
      convolution_ops(), elementwise_ops(), matrix_ops(),   movement_ops(),
      pruning_ops(),     reduction_ops(),   training_ops(),
  };
  Napi::Object device_ops = Napi::Object::New(env);
  for (std::span<const OpEntry> family : families) {
    for (const OpEntry& entry : family) {
      exports.Set(entry.name, op_function(env, entry, Placement::Host));
      device_ops.Set(entry.name, op_function(env, entry, Placement::Device));
    }
  }
  exports.Set("deviceOps", device_ops);
  return exports;
}

}  // namespace
}  // namespace ftwt::binding

static Napi::Object InitModule(Napi::Env env, Napi::Object exports) { return ftwt::binding::initialise(env, exports); }
NODE_API_MODULE(NODE_GYP_MODULE_NAME, InitModule)
