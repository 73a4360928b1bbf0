#pragma once
#include "session/cpu/convolution.h"

namespace ftwt::session {

// 3x3, stride 1, no dilation; `size` 2 or 4.
std::unique_ptr<Step> make_winograd(const Convolution& convolution, int64_t size);

cpu::WinogradShape winograd_shape(const Convolution& convolution, int64_t size);

// (G w G^T)[row, column] of the weights w [3, 3] from channel i to channel o.
float winograd_weight(const Convolution& convolution, int64_t size, int64_t row, int64_t column, int64_t i, int64_t o);

}  // namespace ftwt::session
