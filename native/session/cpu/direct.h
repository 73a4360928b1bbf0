#pragma once
#include "session/cpu/convolution.h"

namespace ftwt::session {

std::unique_ptr<Step> make_in_place(const Convolution& convolution);
std::unique_ptr<Step> make_shifted(const Convolution& convolution);
std::unique_ptr<Step> make_gathered(const Convolution& convolution);

}  // namespace ftwt::session
