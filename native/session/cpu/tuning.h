// Which way a convolution is run: by measuring, or by rule.
#pragma once
#include <memory>

#include "session/cpu/convolution.h"
#include "session/session.h"

namespace ftwt::session {

std::unique_ptr<Step> choose_convolution(const Convolution& convolution, const CpuOptions& options,
                                         int64_t max_samples);

}  // namespace ftwt::session
