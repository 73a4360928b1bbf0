// Batch normalisation, pooling and the optimizer step.
#include "binding/ops.h"
#include "ops/batch_norm.h"
#include "ops/pool.h"
#include "ops/sgd_momentum.h"

namespace ftwt::binding {
namespace {

struct BatchNormSizes {
  int64_t rows, c;
  float epsilon;
  Activation activation;

  explicit BatchNormSizes(const Fields& f)
      : rows(f.size("rows")), c(f.size("c")), epsilon(static_cast<float>(f.number("epsilon"))) {
    const int64_t index = f.size("activation");
    if (index >= static_cast<int64_t>(Activation::Count)) {
      throw Error(ErrorCode::InvalidArgument, "activation: expected linear, relu or relu6");
    }
    if (c < 1) throw Error(ErrorCode::InvalidArgument, "c: expected at least one channel");
    activation = static_cast<Activation>(index);
  }
};

void batch_norm(const Fields& f) {
  const BatchNormSizes s(f);
  f.run(cpu::batch_norm, cuda::batch_norm,
        {f.floats("x", product({s.rows, s.c})), f.optional_floats("gamma", s.c), f.optional_floats("beta", s.c),
         f.floats("mean", s.c), f.floats("variance", s.c), f.floats("y", product({s.rows, s.c})), s.rows, s.c,
         s.epsilon, s.activation});
}

void batch_statistics(const Fields& f) {
  const int64_t rows = f.size("rows"), c = f.size("c");
  if (rows < 1 || c < 1) throw Error(ErrorCode::InvalidArgument, "batchStatistics: expected rows and channels");
  f.run(cpu::batch_statistics, cuda::batch_statistics,
        {f.floats("x", product({rows, c})), f.floats("mean", c), f.floats("variance", c), rows, c});
}

void batch_norm_grad(const Fields& f) {
  const BatchNormSizes s(f);
  const int64_t count = product({s.rows, s.c});
  f.run(cpu::batch_norm_grad, cuda::batch_norm_grad,
        {f.floats("x", count), f.floats("dy", count), f.optional_floats("gamma", s.c), f.optional_floats("beta", s.c),
         f.floats("mean", s.c), f.floats("variance", s.c), f.floats("dx", count), f.floats("dGamma", s.c),
         f.floats("dBeta", s.c), f.optional_floats("dMean", s.c), f.optional_floats("dVariance", s.c), s.rows, s.c,
         s.epsilon, s.activation, f.flag("training")});
}

PoolParams read_pool(const Fields& f) {
  PoolParams p = {};
  p.average = f.flag("average");
  p.n = f.size("n");
  p.h = f.size("h");
  p.w = f.size("w");
  p.c = f.size("c");
  p.out_h = f.size("outH");
  p.out_w = f.size("outW");
  p.window_h = f.size("windowH");
  p.window_w = f.size("windowW");
  p.stride_h = f.size("strideH");
  p.stride_w = f.size("strideW");
  p.pad_top = f.size("padTop");
  p.pad_left = f.size("padLeft");
  return p;
}

void pool(const Fields& f) {
  PoolParams p = read_pool(f);
  p.x = f.floats("x", product({p.n, p.h, p.w, p.c}));
  p.y = f.floats("y", product({p.n, p.out_h, p.out_w, p.c}));
  f.run(cpu::pool, cuda::pool, p);
}

void pool_grad(const Fields& f) {
  PoolParams p = read_pool(f);
  const int64_t in = product({p.n, p.h, p.w, p.c}), out = product({p.n, p.out_h, p.out_w, p.c});
  if (!p.average) {
    p.x = f.floats("x", in);
    p.y = f.floats("y", out);
  }
  f.run(cpu::pool_grad, cuda::pool_grad, {p, f.floats("dy", out), f.floats("dx", in)});
}

void sgd_momentum(const Fields& f) {
  const int64_t count = f.size("count");
  f.run(cpu::sgd_momentum, cuda::sgd_momentum,
        {f.floats("weight", count), f.floats("gradient", count), f.floats("velocity", count),
         f.floats("newWeight", count), f.floats("newVelocity", count), count,
         static_cast<float>(f.number("learningRate")), static_cast<float>(f.number("momentum")),
         static_cast<float>(f.number("weightDecay"))});
}

constexpr OpEntry kOps[] = {
    {"batchNorm", batch_norm},
    {"batchNormGrad", batch_norm_grad},
    {"batchStatistics", batch_statistics},
    {"pool", pool},
    {"poolGrad", pool_grad},
    {"sgdMomentum", sgd_momentum},
};

}  // namespace

std::span<const OpEntry> training_ops() { return kOps; }

}  // namespace ftwt::binding
