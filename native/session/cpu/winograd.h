#pragma once
#include "session/cpu/convolution.h"

namespace ftwt::session {

// 3x3, stride 1, no dilation; `size` 2 or 4.
std::unique_ptr<Step> make_winograd(const Convolution& convolution, int64_t size);

}  // namespace ftwt::session
