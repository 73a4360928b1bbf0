#pragma once
#include "session/cpu/convolution.h"

namespace ftwt::session {

bool fits_strips(const Convolution& convolution);
std::unique_ptr<Step> make_strips(const Convolution& convolution);

}  // namespace ftwt::session
