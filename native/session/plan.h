// A network as a list of nodes over values, in the order of execution: what src/session lowers a tf.LayersModel to, and
// what an executor (native/session/cpu, native/session/cuda) turns into packed weights and steps.
//
// Value 0 is the image [h, w, c]; node i writes value i + 1. A vector is a value with h = w = 1. Batch norm, padding
// layers and dropout do not occur: they are folded before.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "ops/activation.h"
#include "ops/unary.h"

namespace ftwt::session {

// The values are part of the binding's contract: src/session/plan.ts lists the same names in this order.
enum class NodeKind : int {
  Conv,        // [kh, kw, cIn, cOut]
  Depthwise,   // [kh, kw, c, multiplier]
  Dense,       // of the input's pixels x channels, in NHWC order: [h * w * c, cOut]
  Pool,        // maximum or average; cells in the padding count for nothing
  GlobalPool,  // maximum or average over all pixels
  Add,         // of two values of one shape, then the activation
  Concat,      // of the channels of at least two values
  Pad,         // zeros around the image: pad_top, pad_left, and what `out` leaves
  Activation,  // the activation, then `unary`
  Scale,       // x * weights[c] + bias[c], then the activation
  Softmax,     // over the channels of each pixel
  Subsample,   // every stride-th pixel from the first; channels beyond the input's are zero
  Reshape,     // the same floats in NHWC order with another shape
  Count
};

struct Shape {
  int64_t h, w, c;
  int64_t pixels() const { return h * w; }
  int64_t floats() const { return h * w * c; }
};

// Which output channels of a Conv or Depthwise are computed, decided for each image from the node's input:
// active where dense(softmax(pool(x))) + bias > 0 (NaN: not active). Channels that are not active are 0.
struct Predictor {
  std::vector<float> weights;  // [cIn, cOut]
  std::vector<float> bias;     // [cOut]
  bool average;                // else maximum over the pixels
  bool softmax;
};

// An element-wise function beside the fused activations.
struct Function {
  UnaryOp op;
  float alpha = 0;
  float beta = 0;
};

struct Node {
  NodeKind kind;
  std::string name;  // of the layer, for profiles and messages
  std::vector<int32_t> inputs;
  Shape out;

  // Windows of Conv, Depthwise, Pool; strides of Subsample; pad_top and pad_left of Pad.
  int64_t kh = 1, kw = 1;
  int64_t stride_h = 1, stride_w = 1;
  int64_t dilation_h = 1, dilation_w = 1;
  int64_t pad_top = 0, pad_left = 0;

  bool average = false;  // Pool, GlobalPool
  std::vector<float> weights;
  std::vector<float> bias;  // [cOut], or empty

  // y = activation(function(sum + bias)); with a predictor, channels that are not active are 0 whatever these say.
  // A Conv with a `residual` (a value of its shape) adds it after the mask: activation(mask * (sum + bias) + residual);
  // it has no function.
  Activation activation = Activation::Linear;
  std::optional<Function> function;
  std::optional<Predictor> predictor;
  std::optional<int32_t> residual;
};

struct Plan {
  Shape input;
  std::vector<Node> nodes;
  int32_t output;  // the value that a run returns, in NHWC order

  const Shape& shape(int32_t value) const { return value == 0 ? input : nodes[value - 1].out; }

  // Output channels of all nodes with a predictor: the length of one image's masks.
  int64_t mask_width() const {
    int64_t width = 0;
    for (const Node& node : nodes) width += node.predictor ? node.out.c : 0;
    return width;
  }
  int64_t dynamic_nodes() const {
    int64_t count = 0;
    for (const Node& node : nodes) count += node.predictor ? 1 : 0;
    return count;
  }
};

}  // namespace ftwt::session
