// Which way a convolution is run: by measuring, or by rule.
#pragma once
#include <memory>

#include "session/cpu/convolution.h"
#include "session/cpu/placement.h"
#include "session/session.h"

namespace ftwt::session {

// Of one network.
class Tuner {
 public:
  // `weights`: of the whole network, in floats.
  Tuner(const CpuOptions& options, int64_t max_samples, int64_t weights);
  // `section`: where it runs.
  std::unique_ptr<Step> choose(const Convolution& convolution, const Section& section);

 private:
  ConvVariant measure(const Convolution& convolution, const Section& section, const std::vector<ConvVariant>& variants);
  void pass_through_caches();

  const CpuOptions& options_;
  int64_t max_samples_;
  int64_t traffic_;      // floats of weights that pass through the caches between two runs of a convolution
  cpu::Floats weights_;  // stand for those
};

}  // namespace ftwt::session
