#include "binding/dims.h"
#include "binding/ops.h"
#include "ops/cast.h"
#include "ops/copy.h"
#include "ops/fill.h"
#include "ops/gather.h"

namespace ftwt::binding {
namespace {

void copy(const Fields& f) {
  const CheckedDims checked = read_dims(f);
  const int64_t x_offset = f.size("xOffset"), y_offset = f.size("yOffset");
  f.run(cpu::copy, cuda::copy,
        {checked.dims, f.floats("x", x_offset + checked.a_length) + x_offset,
         f.floats("y", y_offset + checked.b_length) + y_offset});
}

void fill(const Fields& f) {
  const int64_t count = f.size("count");
  f.run(cpu::fill, cuda::fill, {f.floats("y", count), count, static_cast<float>(f.number("value"))});
}

CastType cast_type(const Fields& f, const char* name) {
  const int64_t value = f.size(name);
  if (value >= static_cast<int64_t>(CastType::Count)) {
    throw Error(ErrorCode::InvalidArgument, std::string(name) + ": unknown element type");
  }
  return static_cast<CastType>(value);
}

void* elements(const Fields& f, const char* name, CastType type, int64_t count) {
  if (type == CastType::Float32) return f.floats(name, count);
  if (type == CastType::Int32) return f.ints(name, count);
  return f.bytes(name, count);
}

void cast(const Fields& f) {
  const int64_t count = f.size("count");
  const CastType from = cast_type(f, "from"), to = cast_type(f, "to");
  f.run(cpu::cast, cuda::cast, {elements(f, "x", from, count), elements(f, "y", to, count), from, to, count});
}

void gather(const Fields& f) {
  const int64_t outer = f.size("outer"), size = f.size("size"), inner = f.size("inner"), count = f.size("count");
  f.run(cpu::gather, cuda::gather,
        {f.floats("x", product({outer, size, inner})), f.ints("indices", count),
         f.floats("y", product({outer, count, inner})), outer, size, inner, count});
}

constexpr OpEntry kOps[] = {
    {"cast", cast},
    {"copy", copy},
    {"fill", fill},
    {"gather", gather},
};

}  // namespace

std::span<const OpEntry> movement_ops() { return kOps; }

}  // namespace ftwt::binding
