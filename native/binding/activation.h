// Reads the field `activation`.
#pragma once
#include "binding/fields.h"
#include "ops/activation.h"

namespace ftwt::binding {

inline Activation activation(const Fields& f) {
  const int64_t value = f.size("activation");
  if (value >= static_cast<int64_t>(Activation::Count)) {
    throw Error(ErrorCode::InvalidArgument, "activation: expected linear, relu or relu6");
  }
  return static_cast<Activation>(value);
}

}  // namespace ftwt::binding
