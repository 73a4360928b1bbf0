// The steps that are not convolutions. Each takes a node and where its values lie.
#pragma once
#include <memory>
#include <vector>

#include "session/cpu/state.h"

namespace ftwt::session {

// Which output channels a dynamic node computes: fills a gate's lists.
std::unique_ptr<Step> make_predictor(const Node& node, const ValueLayout& input, int32_t gate);
std::unique_ptr<Step> make_depthwise(const Node& node, const ValueLayout& input, const ValueLayout& output,
                                     int32_t gate);
std::unique_ptr<Step> make_dense(const Node& node, const ValueLayout& input, const ValueLayout& output);
std::unique_ptr<Step> make_pool(const Node& node, const ValueLayout& input, const ValueLayout& output);
std::unique_ptr<Step> make_global_pool(const Node& node, const ValueLayout& input, const ValueLayout& output);
std::unique_ptr<Step> make_add(const Node& node, const ValueLayout& a, const ValueLayout& b, const ValueLayout& output);
std::unique_ptr<Step> make_concat(const Node& node, const std::vector<ValueLayout>& inputs, const ValueLayout& output);
std::unique_ptr<Step> make_pad(const Node& node, const ValueLayout& input, const ValueLayout& output);
std::unique_ptr<Step> make_map(const Node& node, const ValueLayout& input, const ValueLayout& output);  // Activation
std::unique_ptr<Step> make_scale(const Node& node, const ValueLayout& input, const ValueLayout& output);
std::unique_ptr<Step> make_softmax(const Node& node, const ValueLayout& input, const ValueLayout& output);
std::unique_ptr<Step> make_subsample(const Node& node, const ValueLayout& input, const ValueLayout& output);
std::unique_ptr<Step> make_reshape(const Node& node, const ValueLayout& input, const ValueLayout& output);

// A node's function applied to the channels that it computed, in place.
std::unique_ptr<Step> make_function(const Node& node, const ValueLayout& value, int32_t gate);

// Between NHWC images and planes.
void read_images(const float* images, const State& state, const ValueLayout& value);
void write_images(const State& state, const ValueLayout& value, float* images);

}  // namespace ftwt::session
