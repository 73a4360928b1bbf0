#pragma once
#include "session/cpu/convolution.h"

namespace ftwt::session {

// 3x3, stride 1, no dilation, few pixels: a tile's points in the lanes of a vector.
std::unique_ptr<Step> make_winograd_points(const Convolution& convolution);

}  // namespace ftwt::session
