#include "ops/mask_predictor.h"

#include <vector>

#include "cpu/channel_pool.h"
#include "cpu/dispatch.h"
#include "cpu/thread_pool.h"

FTWT_DECLARE_KERNEL(void softmax_row(float* x, int64_t c);
                    void predictor_dense(const float* features, const float* weights, const float* bias, int64_t n,
                                         int64_t c_in, int64_t c_out, float* y);
                    void predictor_backprop(const float* dy, const float* weights, const float* features, int64_t c_in,
                                            int64_t c_out, int softmax, float* d_pooled))

namespace ftwt::cpu {

void mask_predictor(const MaskPredictorParams& p) {
  const auto pool_channels = FTWT_KERNEL(pool_channels);
  const auto softmax_row = FTWT_KERNEL(softmax_row);
  const auto dense = FTWT_KERNEL(predictor_dense);
  const ChannelPool pool = p.average ? ChannelPool::Average : ChannelPool::Max;
  parallel_for(p.n, 1, [&](int64_t begin, int64_t end, int) {
    for (int64_t sample = begin; sample < end; ++sample) {
      float* features = p.features + sample * p.c_in;
      pool_channels(pool, p.x + sample * p.pixels * p.c_in, p.pixels, p.c_in, p.c_in, features);
      if (p.softmax) softmax_row(features, p.c_in);
    }
    dense(p.features + begin * p.c_in, p.weights, p.bias, end - begin, p.c_in, p.c_out,
          p.mask_logits + begin * p.c_out);
  });
}

void mask_predictor_backprop_input(const MaskPredictorBackpropInputParams& p) {
  const auto backprop = FTWT_KERNEL(predictor_backprop);
  const auto scatter = FTWT_KERNEL(scatter_pooled);
  const ChannelPool pool = p.average ? ChannelPool::Average : ChannelPool::Max;
  parallel_for(p.n, 1, [&](int64_t begin, int64_t end, int) {
    std::vector<float> d_pooled(static_cast<std::size_t>(p.c_in));
    for (int64_t sample = begin; sample < end; ++sample) {
      const int64_t image = sample * p.pixels * p.c_in;
      backprop(p.dy + sample * p.c_out, p.weights, p.features + sample * p.c_in, p.c_in, p.c_out, p.softmax,
               d_pooled.data());
      scatter(pool, d_pooled.data(), p.x + image, p.pixels, p.c_in, p.c_in, p.dx + image);
    }
  });
}

}  // namespace ftwt::cpu
