// What a compiled plan queues for one batch, node by node.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "cuda/network_ops.h"
#include "cuda/runtime.h"
#include "session/cuda/layout.h"

namespace ftwt::session::device {

// The arrays of a workspace and of its session, and the batch to queue.
struct State {
  const Layout* layout;
  const float* weights;
  const int32_t* channels;  // 0, 1, 2 ...
  float* values;
  int32_t* lists;
  int32_t* counts;        // [n, gates]
  uint8_t* masks;         // [n, mask width]
  const uint8_t* forced;  // [n, mask width], or nullptr
  int64_t mask_width;
  int64_t batch;  // of the workspace
  int64_t n;

  const ValueLayout& place(int32_t value) const { return layout->values[value]; }
  float* data(int32_t value) const { return values + place(value).offset; }
  int64_t floats(int32_t value) const { return n * place(value).shape.floats(); }

  ftwt::cuda::ActiveView active(int32_t gate, int64_t channels) const;  // gate -1: all of them
  ftwt::cuda::ActiveOutput active_output(int32_t gate) const;
  ftwt::cuda::Activations activations(int32_t value) const;
};

// Everything that is uploaded once.
class Weights {
 public:
  explicit Weights(ftwt::cuda::Precision precision) : precision_(precision) {}

  // Where it will lie, in floats.
  int64_t add(const std::vector<float>& values);
  // Of sparse convolutions, rounded to the precision of products.
  int64_t add_factors(const std::vector<float>& values);
  const std::vector<float>& all() const { return all_; }

 private:
  ftwt::cuda::Precision precision_;
  std::vector<float> all_;
};

class Step {
 public:
  virtual ~Step() = default;
  virtual void queue(const State& state) const = 0;
  virtual const char* variant() const = 0;
};

// The steps of node i of the plan, its predictor first.
struct PlacedStep {
  int32_t node;
  std::unique_ptr<Step> step;
};
std::vector<PlacedStep> make_steps(const Plan& plan, const Layout& layout, Weights& weights);

// A node with weights (weighted.cc), in the order of their work.
std::unique_ptr<Step> make_predictor(const Node& node, int32_t gate, Weights& weights);
std::unique_ptr<Step> make_convolution(const Plan& plan, const Layout& layout, int32_t i, Weights& weights);
std::unique_ptr<Step> make_depthwise(const Plan& plan, const Layout& layout, int32_t i, Weights& weights);
std::unique_ptr<Step> make_dense(const Plan& plan, const Layout& layout, int32_t i, Weights& weights);
std::unique_ptr<Step> make_scale(const Plan& plan, int32_t i, Weights& weights);

// y = activation(y), in place.
void queue_activation(Activation activation, float* y, int64_t count);

}  // namespace ftwt::session::device
