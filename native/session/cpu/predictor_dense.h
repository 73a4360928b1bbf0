// The dense layer of a predictor: numbers with the signs of its outputs.
#pragma once
#include <memory>

#include "session/cpu/state.h"

namespace ftwt::session {

class PredictorDense {
 public:
  // Changes the features. Rows of both are a multiple of 64 floats; a row of features has room for one more.
  struct Rows {
    float* features;
    int64_t feature_stride;
    float* logits;  // NaN and 0 mean not active, as in the layer
    int64_t logit_stride;
    float* scratch;  // scratch_floats()
  };

  virtual ~PredictorDense() = default;
  virtual int64_t scratch_floats(int64_t /*samples*/) const { return 0; }
  virtual void run(const State& state, const Rows& rows) const = 0;
  virtual uint64_t weight_bytes() const = 0;
};

std::unique_ptr<PredictorDense> make_predictor_dense(const Predictor& predictor, const ValueLayout& input,
                                                     int64_t outputs);

}  // namespace ftwt::session
