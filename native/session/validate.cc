#include "session/validate.h"

#include <initializer_list>

#include "ops/common.h"

namespace ftwt::session {
namespace {

constexpr int64_t kMaxSize = (int64_t{1} << 31) - 1;    // of a dimension, a stride, a window
constexpr int64_t kMaxFloats = (int64_t{1} << 40) - 1;  // of an array: its bytes stay far from the end of int64_t

[[noreturn]] void fail(const std::string& what, const std::string& message) {
  throw Error(ErrorCode::InvalidArgument, "plan: " + what + ": " + message);
}

std::string text(const Shape& shape) {
  std::string text("[");
  text.append(std::to_string(shape.h)).append(", ").append(std::to_string(shape.w)).append(", ");
  return text.append(std::to_string(shape.c)).append("]");
}

int64_t product(const std::string& what, std::initializer_list<int64_t> sizes) {
  int64_t total = 1;
  for (const int64_t size : sizes) {
    if (size > kMaxFloats / total) fail(what, "sizes are too large");
    total *= size;
  }
  return total;
}

void check_size(const std::string& what, const Shape& shape, int64_t max_batch) {
  if (shape.h < 1 || shape.w < 1 || shape.c < 1) fail(what, "sizes must be positive, got " + text(shape));
  if (max_batch > kMaxFloats / product(what, {shape.h, shape.w, shape.c})) {
    fail(what, text(shape) + " is too large for maxBatch " + std::to_string(max_batch));
  }
}

bool same(const Shape& a, const Shape& b) { return a.h == b.h && a.w == b.w && a.c == b.c; }

// Checks one node, after those before it.
class NodeCheck {
 public:
  NodeCheck(const Plan& plan, int32_t index, int64_t max_batch)
      : plan_(plan), node_(plan.nodes[index]), index_(index), max_batch_(max_batch) {}

  void run() const {
    if (node_.kind < NodeKind::Conv || node_.kind >= NodeKind::Count) bad("unknown kind");
    if (node_.activation < Activation::Linear || node_.activation >= Activation::Count) bad("unknown activation");
    check_inputs();
    check_size(what(), node_.out, max_batch_);
    for (const int64_t value : {node_.kh, node_.kw, node_.stride_h, node_.stride_w, node_.dilation_h, node_.dilation_w})
      if (value < 1 || value > kMaxSize) bad("window, strides and dilations must be 1 to 2^31 - 1");
    if (node_.pad_top < 0 || node_.pad_left < 0 || node_.pad_top > kMaxSize || node_.pad_left > kMaxSize)
      bad("padding must be 0 to 2^31 - 1");
    check_kind();
    check_extras();
  }

 private:
  std::string what() const { return "node " + std::to_string(index_) + " (" + node_.name + ")"; }

  [[noreturn]] void bad(const std::string& message) const { fail(what(), message); }

  const Shape& input() const { return plan_.shape(node_.inputs[0]); }

  void check_inputs() const {
    const std::size_t count = node_.inputs.size();
    const bool right = node_.kind == NodeKind::Add      ? count == 2
                       : node_.kind == NodeKind::Concat ? count >= 2
                                                        : count == 1;
    if (!right) bad("wrong number of inputs, " + std::to_string(count));
    for (const int32_t value : node_.inputs) check_earlier(value);
  }

  void check_earlier(int32_t value) const {
    if (value < 0 || value > index_) {
      bad("reads value " + std::to_string(value) + "; expected 0 to " + std::to_string(index_));
    }
  }

  void check_kind() const {
    const Shape& in = input();
    const Shape& out = node_.out;
    switch (node_.kind) {
      case NodeKind::Conv:
        check_windows();
        expect_weights({node_.kh, node_.kw, in.c, out.c}, out.c);
        break;
      case NodeKind::Depthwise:
        check_windows();
        if (out.c % in.c != 0) bad("channels must be a multiple of the input's " + std::to_string(in.c));
        expect_weights({node_.kh, node_.kw, out.c}, out.c);
        break;
      case NodeKind::Dense:
        expect_shape({1, 1, out.c});
        expect_weights({in.h, in.w, in.c, out.c}, out.c);
        break;
      case NodeKind::Pool:
        check_windows();
        expect_shape({out.h, out.w, in.c});
        if (node_.dilation_h != 1 || node_.dilation_w != 1) bad("windows of a pool have no dilation");
        break;
      case NodeKind::GlobalPool: expect_shape({1, 1, in.c}); break;
      case NodeKind::Add:
        for (const int32_t value : node_.inputs) expect_shape(plan_.shape(value));
        break;
      case NodeKind::Concat: check_concat(); break;
      case NodeKind::Pad:
        expect_shape({out.h, out.w, in.c});
        if (node_.pad_top > out.h - in.h || node_.pad_left > out.w - in.w) bad("the padded image must hold the input");
        break;
      case NodeKind::Activation:
      case NodeKind::Softmax: expect_shape(in); break;
      case NodeKind::Scale:
        expect_shape(in);
        expect_weights({in.c}, in.c);
        break;
      case NodeKind::Subsample:
        expect_shape({(in.h - 1) / node_.stride_h + 1, (in.w - 1) / node_.stride_w + 1, out.c});
        if (out.c < in.c) bad("must keep the input's " + std::to_string(in.c) + " channels");
        break;
      case NodeKind::Reshape:
        if (out.floats() != in.floats()) bad("must keep the number of floats, got " + text(in) + " to " + text(out));
        break;
      case NodeKind::Count: break;
    }
  }

  // Functions, masks and residual sums stand where plan.h allows them.
  void check_extras() const {
    const NodeKind kind = node_.kind;
    const bool convolution = kind == NodeKind::Conv || kind == NodeKind::Depthwise;
    const bool weighted = convolution || kind == NodeKind::Dense;
    const bool activates = weighted || kind == NodeKind::Add || kind == NodeKind::Scale || kind == NodeKind::Activation;
    if (node_.activation != Activation::Linear && !activates) bad("has no activation");
    if (node_.function) {
      if (!weighted && kind != NodeKind::Activation) bad("has no function");
      if (node_.function->op < UnaryOp::Relu || node_.function->op >= UnaryOp::Count) bad("unknown function");
    }
    if (node_.predictor) {
      if (!convolution) bad("has no predictor");
      expect_length("the predictor's weights", node_.predictor->weights.size(),
                    product(what(), {input().c, node_.out.c}));
      expect_length("the predictor's bias", node_.predictor->bias.size(), node_.out.c);
    }
    if (node_.residual) {
      if (kind != NodeKind::Conv) bad("has no residual");
      if (node_.function) bad("has a residual and a function");
      check_earlier(*node_.residual);
      expect_shape(plan_.shape(*node_.residual));
    }
  }

  void check_concat() const {
    int64_t channels = 0;
    for (const int32_t value : node_.inputs) {
      const Shape& in = plan_.shape(value);
      channels += in.c;
      expect_shape({in.h, in.w, node_.out.c});
    }
    if (channels != node_.out.c) bad("must have " + std::to_string(channels) + " channels, got " + text(node_.out));
  }

  void check_windows() const {
    check_axis(node_.kh, node_.stride_h, node_.dilation_h, node_.pad_top, input().h, node_.out.h);
    check_axis(node_.kw, node_.stride_w, node_.dilation_w, node_.pad_left, input().w, node_.out.w);
  }

  // The first window reaches into the image, and the last one starts in it.
  void check_axis(int64_t k, int64_t stride, int64_t dilation, int64_t before, int64_t size, int64_t out) const {
    if (before >= (k - 1) * dilation + 1 || (out - 1) * stride - before >= size) {
      bad("windows must touch the image, got " + text(input()) + " to " + text(node_.out));
    }
  }

  void expect_shape(const Shape& shape) const {
    if (!same(shape, node_.out)) bad("must have shape " + text(shape) + ", got " + text(node_.out));
  }

  void expect_weights(std::initializer_list<int64_t> sizes, int64_t channels) const {
    expect_length("the weights", node_.weights.size(), product(what(), sizes));
    if (!node_.bias.empty()) expect_length("the bias", node_.bias.size(), channels);
  }

  void expect_length(const std::string& what, std::size_t length, int64_t expected) const {
    if (length != static_cast<std::size_t>(expected)) {
      bad(what + " must have " + std::to_string(expected) + " elements, got " + std::to_string(length));
    }
  }

  const Plan& plan_;
  const Node& node_;
  int32_t index_;
  int64_t max_batch_;
};

}  // namespace

void validate(const Plan& plan, int64_t max_batch) {
  if (max_batch < 1 || max_batch > kMaxSize) {
    fail("maxBatch", "must be 1 to 2^31 - 1, got " + std::to_string(max_batch));
  }
  if (plan.nodes.empty() || plan.nodes.size() >= static_cast<std::size_t>(kMaxSize))
    fail("nodes", "there must be some");
  const auto nodes = static_cast<int32_t>(plan.nodes.size());
  check_size("input", plan.input, max_batch);
  for (int32_t index = 0; index < nodes; ++index) NodeCheck(plan, index, max_batch).run();
  if (plan.output < 1 || plan.output > nodes) {
    fail("output", "must be 1 to " + std::to_string(nodes) + ", got " + std::to_string(plan.output));
  }
}

}  // namespace ftwt::session
