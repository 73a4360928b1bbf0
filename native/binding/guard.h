// The one catch: errors of native code become JavaScript errors here and nowhere else.
#pragma once
#include <napi.h>

#include <new>

#include "ops/common.h"

namespace ftwt::binding {

inline const char* code_name(ErrorCode code) {
  switch (code) {
    case ErrorCode::InvalidArgument: return "INVALID_ARGUMENT";
    case ErrorCode::CudaError: return "CUDA_ERROR";
    case ErrorCode::OutOfMemory: return "OUT_OF_MEMORY";
    case ErrorCode::NoDevice: return "NO_DEVICE";
    case ErrorCode::CorruptFile: return "CORRUPT_FILE";
    case ErrorCode::Internal: return "INTERNAL";
  }
  return "INTERNAL";
}

[[noreturn]] inline void throw_to_js(Napi::Env env, const char* code, const std::string& message) {
  Napi::Error error = Napi::Error::New(env, message);
  error.Set("code", Napi::String::New(env, code));
  throw error;
}

// Runs `body` and turns what native code throws into a JavaScript error with a `code`.
template <typename Body>
auto guard(Napi::Env env, const Body& body) {
  try {
    return body();
  } catch (const Error& error) {
    throw_to_js(env, code_name(error.code), error.what());
  } catch (const std::bad_alloc&) {
    throw_to_js(env, "OUT_OF_MEMORY", "Out of host memory");
  } catch (const Napi::Error&) {
    throw;
  } catch (const std::exception& error) {
    throw_to_js(env, "INTERNAL", error.what());
  }
}

template <Napi::Value (*function)(const Napi::CallbackInfo&)>
Napi::Value guarded(const Napi::CallbackInfo& info) {
  return guard(info.Env(), [&] { return function(info); });
}

}  // namespace ftwt::binding
