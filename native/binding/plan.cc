// A plan from the fields that src/session/plan.ts encodes.
#include "binding/session.h"

namespace ftwt::binding {
namespace {

using session::Node;
using session::Plan;
using session::Shape;

constexpr int64_t kMaxIndex = 2147483647;

Shape read_shape(const Fields& fields) { return {fields.size("h"), fields.size("w"), fields.size("c")}; }

std::vector<float> read_floats(const Fields& fields, const char* name) {
  const int64_t length = fields.length(name);
  const float* values = fields.floats(name, length);
  return {values, values + length};
}

int32_t read_index(const Fields& fields, const char* name) {
  const int64_t index = fields.size(name);
  if (index > kMaxIndex) throw Error(ErrorCode::InvalidArgument, std::string(name) + ": too large");
  return static_cast<int32_t>(index);
}

// Out of range is left for session::validate.
template <typename Enum>
Enum read_enum(const Fields& fields, const char* name) {
  return static_cast<Enum>(read_index(fields, name));
}

session::Predictor read_predictor(const Fields& fields) {
  return {read_floats(fields, "weights"), read_floats(fields, "bias"), fields.flag("average"), fields.flag("softmax")};
}

session::Function read_function(const Fields& fields) {
  return {read_enum<UnaryOp>(fields, "op"), static_cast<float>(fields.number("alpha")),
          static_cast<float>(fields.number("beta"))};
}

Node read_node(const Fields& fields) {
  Node node{};
  node.kind = read_enum<session::NodeKind>(fields, "kind");
  node.name = fields.text("name");
  const int64_t inputs = fields.length("inputs");
  const int32_t* values = fields.host_ints("inputs", inputs);
  node.inputs.assign(values, values + inputs);
  node.out = read_shape(fields.object("out"));
  node.kh = fields.size("kh");
  node.kw = fields.size("kw");
  node.stride_h = fields.size("strideH");
  node.stride_w = fields.size("strideW");
  node.dilation_h = fields.size("dilationH");
  node.dilation_w = fields.size("dilationW");
  node.pad_top = fields.size("padTop");
  node.pad_left = fields.size("padLeft");
  node.average = fields.flag("average");
  node.activation = read_enum<Activation>(fields, "activation");
  if (fields.has("weights")) node.weights = read_floats(fields, "weights");
  if (fields.has("bias")) node.bias = read_floats(fields, "bias");
  if (fields.has("function")) node.function = read_function(fields.object("function"));
  if (fields.has("predictor")) node.predictor = read_predictor(fields.object("predictor"));
  if (fields.has("residual")) node.residual = read_index(fields, "residual");
  return node;
}

}  // namespace

Plan read_plan(const Fields& fields) {
  Plan plan{};
  plan.input = read_shape(fields.object("input"));
  plan.output = read_index(fields, "output");
  const Napi::Value nodes = fields.value("nodes");
  if (!nodes.IsArray()) throw Error(ErrorCode::InvalidArgument, "nodes: expected an array");
  const auto list = nodes.As<Napi::Array>();
  const uint32_t count = list.Length();
  plan.nodes.reserve(count);
  for (uint32_t i = 0; i < count; ++i) {
    const Napi::HandleScope scope(list.Env());
    plan.nodes.push_back(read_node(Fields(list.Env(), list.Get(i), "nodes")));
  }
  return plan;
}

}  // namespace ftwt::binding
