// The transforms of Winograd tiles of 2x2 outputs, of vectors of any length.
#pragma once
#include "cpu/isa.h"

namespace ftwt::FTWT_ISA {
namespace {

// y = B^T x
template <typename V>
FTWT_INLINE void transform_input(const V (&x)[4], V (&y)[4]) {
  y[0] = x[0] - x[2];
  y[1] = x[1] + x[2];
  y[2] = x[2] - x[1];
  y[3] = x[1] - x[3];
}

// y = A^T x
template <typename V>
FTWT_INLINE void transform_output(const V (&x)[4], V (&y)[2]) {
  y[0] = x[0] + x[1] + x[2];
  y[1] = x[1] - x[2] - x[3];
}

}  // namespace
}  // namespace ftwt::FTWT_ISA
