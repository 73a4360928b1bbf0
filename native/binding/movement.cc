#include "binding/dims.h"
#include "binding/ops.h"
#include "ops/copy.h"

namespace ftwt::binding {
namespace {

void copy(const Fields& f) {
  const CheckedDims checked = read_dims(f);
  const int64_t x_offset = f.size("xOffset"), y_offset = f.size("yOffset");
  cpu::copy({checked.dims, f.floats("x", x_offset + checked.a_length) + x_offset,
             f.floats("y", y_offset + checked.b_length) + y_offset});
}

constexpr OpEntry kOps[] = {
    {"copy", copy},
};

}  // namespace

std::span<const OpEntry> movement_ops() { return kOps; }

}  // namespace ftwt::binding
