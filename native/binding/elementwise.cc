#include "binding/dims.h"
#include "binding/ops.h"
#include "ops/binary.h"
#include "ops/unary.h"

namespace ftwt::binding {
namespace {

template <typename Op>
Op read_op(const Fields& f, const char* name) {
  const int64_t op = f.size("op");
  if (op >= static_cast<int64_t>(Op::Count))
    throw Error(ErrorCode::InvalidArgument, std::string(name) + ": unknown op");
  return static_cast<Op>(op);
}

void unary(const Fields& f) {
  const int64_t count = f.size("count");
  f.run(cpu::unary, cuda::unary,
        {read_op<UnaryOp>(f, "unary"), f.floats("x", count), f.floats("y", count), count,
         static_cast<float>(f.number("alpha")), static_cast<float>(f.number("beta"))});
}

void binary(const Fields& f) {
  const auto op = read_op<BinaryOp>(f, "binary");
  const CheckedDims checked = read_dims(f);
  const int last = checked.dims.rank - 1;
  if (checked.dims.a[last] > 1 || checked.dims.b[last] > 1) {
    throw Error(ErrorCode::InvalidArgument, "binary: expected innermost strides of 0 or 1");
  }
  void* y = op >= BinaryOp::FloatCount ? static_cast<void*>(f.bytes("y", checked.count)) : f.floats("y", checked.count);
  f.run(cpu::binary, cuda::binary,
        {op, checked.dims, f.floats("a", checked.a_length), f.floats("b", checked.b_length), y});
}

void select(const Fields& f) {
  const int64_t count = f.size("count");
  f.run(cpu::select, cuda::select,
        {f.bytes("condition", count), f.floats("t", count), f.floats("e", count), f.floats("y", count), count});
}

void logical_and(const Fields& f) {
  const int64_t count = f.size("count");
  f.run(cpu::logical_and, cuda::logical_and, {f.bytes("a", count), f.bytes("b", count), f.bytes("y", count), count});
}

constexpr OpEntry kOps[] = {
    {"unary", unary},
    {"binary", binary},
    {"select", select},
    {"logicalAnd", logical_and},
};

}  // namespace

std::span<const OpEntry> elementwise_ops() { return kOps; }

}  // namespace ftwt::binding
