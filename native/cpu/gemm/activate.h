// Fused activations on vectors. Included by the sources that are compiled per instruction set.
#pragma once
#include "cpu/isa.h"
#include "ops/activation.h"

namespace ftwt::FTWT_ISA {
namespace {

FTWT_INLINE Vec activate(Vec v, Activation activation) {  // NaN passes, as in tfjs
  if (activation == Activation::Linear) return v;
  v = v < 0.0f ? Vec{} : v;
  return activation == Activation::Relu6 ? (v > 6.0f ? splat(6.0f) : v) : v;
}

}  // namespace
}  // namespace ftwt::FTWT_ISA
