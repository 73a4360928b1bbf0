// Reads the named fields of the one object that every op takes, with one-line preconditions: a missing field, a wrong
// array type or an array shorter than its shape says throws InvalidArgument, so no kernel ever reads past an end.
//
// The same adaptors serve both devices: on the host arrays are typed arrays, on a GPU they are blocks of its memory.
#pragma once
#include <napi.h>

#include <initializer_list>
#include <string>
#include <type_traits>

#include "binding/device_block.h"
#include "cuda/runtime.h"
#include "ops/common.h"

namespace ftwt::binding {

// No typed array is longer. Sums of a few lengths, and lengths in bytes, stay far from the end of int64_t.
constexpr int64_t kMaxLength = 9007199254740991;  // JavaScript's largest safe integer

// The length of an array of these sizes (each >= 0). Throws also where only the other sizes of an empty array are too
// large: kernels multiply some of them.
inline int64_t product(std::initializer_list<int64_t> sizes) {
  int64_t total = 1;
  bool empty = false;
  for (const int64_t size : sizes) {
    empty = empty || size == 0;
    if (size == 0) continue;
    if (total > kMaxLength / size) throw Error(ErrorCode::InvalidArgument, "sizes are too large");
    total *= size;
  }
  return empty ? 0 : total;
}

enum class Placement { Host, Device };

class Fields {
 public:
  Fields(const Napi::CallbackInfo& info, Placement placement) : env_(info.Env()), placement_(placement) {
    if (info.Length() < 1 || !info[0].IsObject()) fail("Expected one object of named fields");
    object_ = info[0].As<Napi::Object>();
  }

  // Of an object inside another; its arrays are on the host.
  Fields(Napi::Env env, const Napi::Value& object, const char* name) : env_(env), placement_(Placement::Host) {
    if (!object.IsObject()) fail(std::string(name) + ": expected an object");
    object_ = object.As<Napi::Object>();
  }
  Fields object(const char* name) const { return Fields(env_, object_.Get(name), name); }

  int64_t size(const char* name) const {  // an integer >= 0
    const double value = number(name);
    if (!(value >= 0) || value > kMaxLength || value != static_cast<double>(static_cast<int64_t>(value))) {
      fail(std::string(name) + ": expected an integer >= 0, got " + std::to_string(value));
    }
    return static_cast<int64_t>(value);
  }

  double number(const char* name) const {
    const Napi::Value value = object_.Get(name);
    if (!value.IsNumber()) fail(std::string(name) + ": expected a number");
    return value.As<Napi::Number>().DoubleValue();
  }

  std::string text(const char* name) const {
    const Napi::Value value = object_.Get(name);
    if (!value.IsString()) fail(std::string(name) + ": expected a string");
    return value.As<Napi::String>().Utf8Value();
  }

  Napi::Value value(const char* name) const { return object_.Get(name); }

  bool flag(const char* name) const {
    const Napi::Value value = object_.Get(name);
    if (!value.IsBoolean()) fail(std::string(name) + ": expected a boolean");
    return value.As<Napi::Boolean>().Value();
  }

  // At least `length` elements of float32, int32 or bytes, where the op runs.
  float* floats(const char* name, int64_t length) const { return array<float>(name, napi_float32_array, length); }
  int32_t* ints(const char* name, int64_t length) const { return array<int32_t>(name, napi_int32_array, length); }
  uint8_t* bytes(const char* name, int64_t length) const { return array<uint8_t>(name, napi_uint8_array, length); }

  // How many elements a typed array has.
  int64_t length(const char* name) const {
    const Napi::Value value = object_.Get(name);
    if (!value.IsTypedArray()) fail(std::string(name) + ": expected a typed array");
    return static_cast<int64_t>(value.As<Napi::TypedArray>().ElementLength());
  }

  // The same, or nullptr where the field is undefined or null.
  float* optional_floats(const char* name, int64_t length) const { return has(name) ? floats(name, length) : nullptr; }

  // At least `length` elements of an Int32Array: for sizes and the like, which stay on the host.
  const int32_t* host_ints(const char* name, int64_t length) const {
    return host_array<int32_t>(name, napi_int32_array, length);
  }

  bool has(const char* name) const {
    const Napi::Value value = object_.Get(name);
    return !value.IsUndefined() && !value.IsNull();
  }

  // Runs the op where its arrays are.
  template <typename Params>
  void run(void (*on_host)(const Params&), void (*on_device)(const Params&),
           const std::type_identity_t<Params>& params) const {
    if (placement_ == Placement::Host) return on_host(params);
    if (context_ == nullptr) fail("Expected at least one array");
    const cuda::UseContext use(*context_);
    on_device(params);
  }

 private:
  template <typename T>
  T* array(const char* name, napi_typedarray_type type, int64_t length) const {
    return placement_ == Placement::Host ? host_array<T>(name, type, length) : device_array<T>(name, length);
  }

  template <typename T>
  T* device_array(const char* name, int64_t length) const {
    DeviceBlock& block = device_block(object_.Get(name), name);
    if (context_ == nullptr) context_ = &block.context();
    if (context_ != &block.context()) fail(std::string(name) + ": expected memory of the same device");
    if (length < 0 || block.bytes() / sizeof(T) < static_cast<uint64_t>(length)) {
      fail(std::string(name) + ": expected at least " + std::to_string(length) + " elements, got " +
           std::to_string(block.bytes() / sizeof(T)));
    }
    return static_cast<T*>(block.data());
  }

  template <typename T>
  T* host_array(const char* name, napi_typedarray_type type, int64_t length) const {
    const Napi::Value value = object_.Get(name);
    napi_typedarray_type actual;
    std::size_t actual_length;
    void* data;
    if (!value.IsTypedArray() ||
        napi_get_typedarray_info(env_, value, &actual, &actual_length, &data, nullptr, nullptr) != napi_ok ||
        actual != type) {
      fail(std::string(name) + ": expected a " + type_name(type));
    }
    if (length < 0 || actual_length < static_cast<uint64_t>(length)) {
      fail(std::string(name) + ": expected at least " + std::to_string(length) + " elements, got " +
           std::to_string(actual_length));
    }
    return static_cast<T*>(data);
  }

  static const char* type_name(napi_typedarray_type type) {
    return type == napi_float32_array ? "Float32Array" : type == napi_int32_array ? "Int32Array" : "Uint8Array";
  }

  [[noreturn]] static void fail(const std::string& message) { throw Error(ErrorCode::InvalidArgument, message); }

  Napi::Env env_;
  Placement placement_;
  Napi::Object object_;
  mutable cuda::Context* context_ = nullptr;  // of the arrays read so far
};

}  // namespace ftwt::binding
