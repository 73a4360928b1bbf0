#pragma once
#include "session/cpu/convolution.h"

namespace ftwt::session {

constexpr int64_t kDotPixels = 4;  // at most

std::unique_ptr<Step> make_dots(const Convolution& convolution);

}  // namespace ftwt::session
