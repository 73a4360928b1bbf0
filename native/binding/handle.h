// Native objects that JavaScript holds: Externals that own them, told apart by a tag.
#pragma once
#include <napi.h>

#include <memory>

namespace ftwt::binding {

// An External that owns `value`, and that only `tag` opens again.
template <typename T>
Napi::Value make_handle(Napi::Env env, std::unique_ptr<T> value, const napi_type_tag& tag) {
  auto external = Napi::External<T>::New(env, value.get(), [](Napi::Env, T* data) { delete data; });
  value.release();
  external.TypeTag(&tag);
  return external;
}

// nullptr for anything else.
template <typename T>
T* open_handle(const Napi::Value& value, const napi_type_tag& tag) {
  if (!value.IsExternal()) return nullptr;
  const auto external = value.As<Napi::External<T>>();
  return external.CheckTypeTag(&tag) ? external.Data() : nullptr;
}

}  // namespace ftwt::binding
