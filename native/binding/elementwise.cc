#include "binding/ops.h"
#include "ops/unary.h"

namespace ftwt::binding {
namespace {

void unary(const Fields& f) {
  const int64_t op = f.size("op");
  const int64_t count = f.size("count");
  if (op >= static_cast<int64_t>(UnaryOp::Count)) throw Error(ErrorCode::InvalidArgument, "unary: unknown op");
  cpu::unary({static_cast<UnaryOp>(op), f.floats("x", count), f.floats("y", count), count,
              static_cast<float>(f.number("alpha"))});
}

constexpr OpEntry kOps[] = {
    {"unary", unary},
};

}  // namespace

std::span<const OpEntry> elementwise_ops() { return kOps; }

}  // namespace ftwt::binding
