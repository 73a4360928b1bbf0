// Compiled plans: made, run on this thread or another, timed, disposed.
#include "session/session.h"

#include <algorithm>
#include <mutex>
#include <utility>

#include "binding/device_block.h"
#include "binding/guard.h"
#include "binding/handle.h"
#include "binding/session.h"
#include "binding/settings.h"
#include "cpu/thread_pool.h"
#include "session/validate.h"

namespace ftwt::binding {
namespace {

constexpr napi_type_tag kSessionTag = {0x6674777473657373, 0x696f6e0000000003};

[[noreturn]] void invalid(const std::string& message) { throw Error(ErrorCode::InvalidArgument, message); }

// What JavaScript holds: the thread that compiled a session is the only one that touches its handle.
struct Handle {
  std::shared_ptr<session::Session> session;  // runs in flight hold it as well; nullptr once disposed
  int64_t max_batch;
  int64_t input_floats;
  int64_t output_floats;
  int64_t mask_width;
  int64_t dynamic_nodes;
  int64_t reported_bytes;  // to the garbage collector, which sees no other reason to collect an External
};

void dispose(Napi::Env env, Handle& handle) {
  handle.session.reset();
  Napi::MemoryManagement::AdjustExternalMemory(env, -std::exchange(handle.reported_bytes, 0));
}

Handle& open(const Napi::CallbackInfo& info) {
  auto* handle = open_handle<Handle>(info[0], kSessionTag);
  if (handle == nullptr) invalid("Expected a session that sessionCompile has returned");
  return *handle;
}

Handle& open_live(const Napi::CallbackInfo& info) {
  Handle& handle = open(info);
  if (handle.session == nullptr) invalid("The session is disposed");
  return handle;
}

std::shared_ptr<session::Session> compile_on(session::Plan plan, const Fields& options) {
  const int64_t max_batch = options.size("maxBatch");
  if (!options.has("device")) {
    session::CpuOptions cpu = {.max_batch = max_batch, .measure = options.flag("measure")};
    if (options.has("threads"))
      cpu.threads = static_cast<int>(std::min<int64_t>(options.size("threads"), cpu::kMostThreads));
    if (options.has("variant")) cpu.variant = options.text("variant");
    return session::compile_cpu(std::move(plan), cpu);
  }
  session::CudaOptions cuda = {.max_batch = max_batch, .context = device_context(options.value("device"))};
  if (options.has("precision")) cuda.precision = read_precision(options.value("precision"));
  return session::compile_cuda(std::move(plan), cuda);
}

Napi::Value compile(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const Fields options(env, info[1], "options");
  session::Plan plan = read_plan(Fields(env, info[0], "plan"));
  auto handle = std::make_unique<Handle>();
  handle->max_batch = options.size("maxBatch");
  session::validate(plan, handle->max_batch);
  handle->input_floats = plan.input.floats();
  handle->output_floats = plan.shape(plan.output).floats();
  handle->mask_width = plan.mask_width();
  handle->dynamic_nodes = plan.dynamic_nodes();
  {
    const std::shared_lock lock(settings);
    handle->session = compile_on(std::move(plan), options);
  }
  handle->reported_bytes = static_cast<int64_t>(handle->session->memory_bytes());
  Napi::MemoryManagement::AdjustExternalMemory(env, handle->reported_bytes);
  auto external = Napi::External<Handle>::New(env, handle.get(), [](Napi::Env finalizing, Handle* data) {
    dispose(finalizing, *data);
    delete data;
  });
  handle.release();
  external.TypeTag(&kSessionTag);
  return external;
}

session::Run read_run(const Fields& fields, const Handle& handle) {
  session::Run run{};
  run.n = fields.size("n");
  if (run.n < 1 || run.n > handle.max_batch) {
    invalid("n: expected 1 to " + std::to_string(handle.max_batch) + ", got " + std::to_string(run.n));
  }
  run.images = fields.floats("images", run.n * handle.input_floats);
  run.output = fields.floats("output", run.n * handle.output_floats);
  if (fields.has("activeCounts")) run.active_counts = fields.ints("activeCounts", run.n * handle.dynamic_nodes);
  if (fields.has("masks")) run.masks = fields.bytes("masks", run.n * handle.mask_width);
  if (fields.has("forcedMasks")) {
    const int64_t count = run.n * handle.mask_width;
    run.forced_masks = fields.bytes("forcedMasks", count);
    uint8_t largest = 0;
    for (int64_t i = 0; i < count; ++i) largest = std::max(largest, run.forced_masks[i]);
    if (largest > 1) invalid("forcedMasks must be 0 or 1, got " + std::to_string(largest));
  }
  return run;
}

Napi::Value run(const Napi::CallbackInfo& info) {
  const Handle& handle = open_live(info);
  const session::Run run = read_run(Fields(info.Env(), info[1], "fields"), handle);
  const std::shared_lock lock(settings);
  handle.session->run(run);
  return info.Env().Undefined();
}

// One run on libuv's thread pool. Plain Node-API and no exception in `complete`: where the environment is being torn
// down, every call that would reach JavaScript fails, and there is nobody left to tell.
class AsyncRun {
 public:
  static Napi::Value start(const Napi::CallbackInfo& info) {
    const Napi::Env env = info.Env();
    const Handle& handle = open_live(info);
    const Fields fields(env, info[1], "fields");
    auto self = std::unique_ptr<AsyncRun>(new AsyncRun(handle.session, read_run(fields, handle)));
    self->arrays_ = Napi::Persistent(arrays_of(env, fields));
    napi_value promise;
    check(env, napi_create_promise(env, &self->deferred_, &promise));
    const auto name = Napi::String::New(env, "ftwt session run");
    check(env, napi_create_async_work(env, nullptr, name, execute, complete, self.get(), &self->work_));
    check(env, napi_queue_async_work(env, self->work_));
    self.release();
    return Napi::Value(env, promise);
  }

 private:
  AsyncRun(std::shared_ptr<session::Session> session, const session::Run& run)
      : session_(std::move(session)), run_(run) {}

  // Keeps the memory that the run reads and writes alive.
  static Napi::Object arrays_of(Napi::Env env, const Fields& fields) {
    Napi::Array arrays = Napi::Array::New(env);
    for (const char* name : {"images", "output", "activeCounts", "masks", "forcedMasks"}) {
      arrays.Set(arrays.Length(), fields.value(name));
    }
    return arrays;
  }

  static void check(Napi::Env env, napi_status status) {
    if (status != napi_ok) throw Napi::Error::New(env);
  }

  static void execute(napi_env, void* data) {
    auto* self = static_cast<AsyncRun*>(data);
    try {
      const std::shared_lock lock(settings);
      self->session_->run(self->run_);
    } catch (const Error& error) {
      self->fail(code_name(error.code), error.what());
    } catch (const std::bad_alloc&) {
      self->fail("OUT_OF_MEMORY", "Out of host memory");
    } catch (const std::exception& error) {
      self->fail("INTERNAL", error.what());
    }
    // A session that was disposed meanwhile goes here, not in the middle of JavaScript.
    self->session_.reset();
  }

  static void complete(napi_env env, napi_status status, void* data) {
    const std::unique_ptr<AsyncRun> self(static_cast<AsyncRun*>(data));
    if (status != napi_ok && self->code_ == nullptr) self->fail("INTERNAL", "The run was cancelled");
    napi_value result = nullptr;
    if (self->code_ == nullptr) {
      if (napi_get_undefined(env, &result) == napi_ok) napi_resolve_deferred(env, self->deferred_, result);
    } else if (self->make_error(env, &result) == napi_ok) {
      napi_reject_deferred(env, self->deferred_, result);
    }
    napi_delete_async_work(env, self->work_);
  }

  napi_status make_error(napi_env env, napi_value* error) const {
    napi_value code;
    napi_value message;
    napi_status status = napi_create_string_utf8(env, code_, NAPI_AUTO_LENGTH, &code);
    if (status == napi_ok) status = napi_create_string_utf8(env, message_.c_str(), NAPI_AUTO_LENGTH, &message);
    if (status == napi_ok) status = napi_create_error(env, code, message, error);
    return status;
  }

  void fail(const char* code, const std::string& message) {
    code_ = code;
    message_ = message;
  }

  std::shared_ptr<session::Session> session_;
  session::Run run_;
  Napi::ObjectReference arrays_;
  napi_async_work work_ = nullptr;
  napi_deferred deferred_ = nullptr;
  const char* code_ = nullptr;  // of what went wrong
  std::string message_;
};

Napi::Value profile(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const Handle& handle = open_live(info);
  const session::Run run = read_run(Fields(env, info[1], "fields"), handle);
  std::vector<session::NodeProfile> nodes;
  {
    const std::shared_lock lock(settings);
    nodes = handle.session->profile(run);
  }
  Napi::Array result = Napi::Array::New(env);
  for (const session::NodeProfile& node : nodes) {
    Napi::Object entry = Napi::Object::New(env);
    entry.Set("node", node.node);
    entry.Set("variant", node.variant);
    entry.Set("milliseconds", node.milliseconds);
    result.Set(result.Length(), entry);
  }
  return result;
}

Napi::Value memory(const Napi::CallbackInfo& info) {
  return Napi::Number::New(info.Env(), static_cast<double>(open_live(info).session->memory_bytes()));
}

Napi::Value dispose_session(const Napi::CallbackInfo& info) {
  dispose(info.Env(), open(info));
  return info.Env().Undefined();
}

}  // namespace

void export_session(Napi::Env env, Napi::Object exports) {
  exports.Set("sessionCompile", Napi::Function::New(env, guarded<compile>, "sessionCompile"));
  exports.Set("sessionRun", Napi::Function::New(env, guarded<run>, "sessionRun"));
  exports.Set("sessionRunAsync", Napi::Function::New(env, guarded<AsyncRun::start>, "sessionRunAsync"));
  exports.Set("sessionProfile", Napi::Function::New(env, guarded<profile>, "sessionProfile"));
  exports.Set("sessionMemory", Napi::Function::New(env, guarded<memory>, "sessionMemory"));
  exports.Set("sessionDispose", Napi::Function::New(env, guarded<dispose_session>, "sessionDispose"));
}

}  // namespace ftwt::binding
