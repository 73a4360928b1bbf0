#include "binding/ops.h"
#include "ops/reduce.h"

namespace ftwt::binding {
namespace {

void reduce(const Fields& f) {
  const int64_t op = f.size("op");
  const int64_t outer = f.size("outer"), reduced = f.size("reduce"), inner = f.size("inner");
  if (op >= static_cast<int64_t>(ReduceOp::Count)) throw Error(ErrorCode::InvalidArgument, "reduce: unknown op");
  f.run(cpu::reduce, cuda::reduce,
        {static_cast<ReduceOp>(op), f.floats("x", product({outer, reduced, inner})),
         f.floats("y", product({outer, inner})), outer, reduced, inner, f.number("scale")});
}

void arg_max(const Fields& f) {
  const int64_t outer = f.size("outer"), reduced = f.size("reduce"), inner = f.size("inner");
  if (reduced < 1) throw Error(ErrorCode::InvalidArgument, "argMax: expected at least one element to choose from");
  f.run(cpu::arg_max, cuda::arg_max,
        {f.floats("x", product({outer, reduced, inner})), f.ints("y", product({outer, inner})), outer, reduced, inner});
}

void softmax(const Fields& f) {
  const int64_t rows = f.size("rows"), cols = f.size("cols"), length = product({rows, cols});
  f.run(cpu::softmax, cuda::softmax, {f.floats("x", length), f.floats("y", length), rows, cols});
}

constexpr OpEntry kOps[] = {
    {"reduce", reduce},
    {"argMax", arg_max},
    {"softmax", softmax},
};

}  // namespace

std::span<const OpEntry> reduction_ops() { return kOps; }

}  // namespace ftwt::binding
