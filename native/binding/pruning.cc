#include "binding/ops.h"
#include "ops/channel_saliency.h"
#include "ops/mask_predictor.h"
#include "ops/mass_mask.h"
#include "ops/top_k_mask.h"

namespace ftwt::binding {
namespace {

// Kernels read the first element of a pool or a row before they look for more.
int64_t positive(const Fields& f, const char* name) {
  const int64_t value = f.size(name);
  if (value < 1) throw Error(ErrorCode::InvalidArgument, std::string(name) + ": expected at least 1");
  return value;
}

void channel_saliency(const Fields& f) {
  const int64_t n = f.size("n"), pixels = positive(f, "pixels"), c = f.size("c");
  f.run(cpu::channel_saliency, cuda::channel_saliency,
        {f.floats("x", product({n, pixels, c})), f.floats("saliency", product({n, c})), n, pixels, c});
}

void mass_mask(const Fields& f) {
  const int64_t n = f.size("n"), c = f.size("c"), length = product({n, c});
  f.run(cpu::mass_mask, cuda::mass_mask,
        {f.floats("saliency", length), f.floats("mask", length), n, c, f.number("mass"), f.size("minActive"),
         f.flag("includeCrossing")});
}

void top_k_mask(const Fields& f) {
  const int64_t n = f.size("n"), c = f.size("c"), length = product({n, c});
  f.run(cpu::top_k_mask, cuda::top_k_mask,
        {f.floats("saliency", length), f.floats("mask", length), n, c, f.size("count"), f.size("minActive")});
}

void mask_predictor(const Fields& f) {
  const int64_t n = f.size("n"), pixels = positive(f, "pixels"), c_in = positive(f, "cIn"), c_out = f.size("cOut");
  f.run(cpu::mask_predictor, cuda::mask_predictor,
        {.x = f.floats("x", product({n, pixels, c_in})),
         .weights = f.floats("weights", product({c_in, c_out})),
         .bias = f.floats("bias", c_out),
         .mask_logits = f.floats("maskLogits", product({n, c_out})),
         .features = f.floats("features", product({n, c_in})),
         .n = n,
         .pixels = pixels,
         .c_in = c_in,
         .c_out = c_out,
         .average = f.flag("average"),
         .softmax = f.flag("softmax")});
}

void mask_predictor_backprop_input(const Fields& f) {
  const int64_t n = f.size("n"), pixels = positive(f, "pixels"), c_in = positive(f, "cIn"), c_out = f.size("cOut");
  f.run(cpu::mask_predictor_backprop_input, cuda::mask_predictor_backprop_input,
        {.dy = f.floats("dy", product({n, c_out})),
         .x = f.floats("x", product({n, pixels, c_in})),
         .weights = f.floats("weights", product({c_in, c_out})),
         .features = f.floats("features", product({n, c_in})),
         .dx = f.floats("dx", product({n, pixels, c_in})),
         .n = n,
         .pixels = pixels,
         .c_in = c_in,
         .c_out = c_out,
         .average = f.flag("average"),
         .softmax = f.flag("softmax")});
}

constexpr OpEntry kOps[] = {
    {"channelSaliency", channel_saliency},
    {"massMask", mass_mask},
    {"topKMask", top_k_mask},
    {"maskPredictor", mask_predictor},
    {"maskPredictorBackpropInput", mask_predictor_backprop_input},
};

}  // namespace

std::span<const OpEntry> pruning_ops() { return kOps; }

}  // namespace ftwt::binding
