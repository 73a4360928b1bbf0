#include "binding/activation.h"
#include "binding/ops.h"
#include "ops/matmul.h"

namespace ftwt::binding {
namespace {

void matmul(const Fields& f) {
  const int64_t batch = f.size("batch"), m = f.size("m"), k = f.size("k"), n = f.size("n");
  const int64_t a_batch = f.size("aBatch"), b_batch = f.size("bBatch");
  if (batch > 0 && (a_batch == 0 || b_batch == 0)) {
    throw Error(ErrorCode::InvalidArgument, "matmul: expected aBatch and bBatch of at least 1");
  }
  f.run(cpu::matmul, cuda::matmul,
        {batch, m, k, n, a_batch, b_batch, f.flag("transposeA"), f.flag("transposeB"),
         f.floats("a", product({a_batch, m, k})), f.floats("b", product({b_batch, k, n})), f.optional_floats("bias", n),
         activation(f), f.floats("y", product({batch, m, n}))});
}

constexpr OpEntry kOps[] = {
    {"matmul", matmul},
};

}  // namespace

std::span<const OpEntry> matrix_ops() { return kOps; }

}  // namespace ftwt::binding
