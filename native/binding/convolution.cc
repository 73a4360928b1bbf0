#include "binding/activation.h"
#include "binding/ops.h"
#include "ops/channel_sparse_conv2d.h"
#include "ops/conv2d.h"
#include "ops/depthwise_conv2d.h"

namespace ftwt::binding {
namespace {

int64_t positive(const Fields& f, const char* name) {
  const int64_t value = f.size(name);
  if (value < 1) throw Error(ErrorCode::InvalidArgument, std::string(name) + ": expected at least 1, got 0");
  return value;
}

Conv2dShape conv2d_shape(const Fields& f) {
  return {f.size("n"),
          f.size("h"),
          f.size("w"),
          f.size("cIn"),
          f.size("kh"),
          f.size("kw"),
          f.size("cOut"),
          f.size("outH"),
          f.size("outW"),
          positive(f, "strideH"),
          positive(f, "strideW"),
          f.size("padTop"),
          f.size("padLeft"),
          positive(f, "dilationH"),
          positive(f, "dilationW")};
}

int64_t input_size(const Conv2dShape& s) { return product({s.n, s.h, s.w, s.c_in}); }
int64_t output_size(const Conv2dShape& s) { return product({s.n, s.out_h, s.out_w, s.c_out}); }
int64_t filter_size(const Conv2dShape& s) { return product({s.kh, s.kw, s.c_in, s.c_out}); }

void conv2d(const Fields& f) {
  const Conv2dShape s = conv2d_shape(f);
  f.run(cpu::conv2d, cuda::conv2d,
        {s, f.floats("x", input_size(s)), f.floats("filter", filter_size(s)), f.optional_floats("bias", s.c_out),
         activation(f), f.floats("y", output_size(s))});
}

void conv2d_backprop_input(const Fields& f) {
  const Conv2dShape s = conv2d_shape(f);
  f.run(cpu::conv2d_backprop_input, cuda::conv2d_backprop_input,
        {s, f.floats("dy", output_size(s)), f.floats("filter", filter_size(s)), f.floats("dx", input_size(s))});
}

void conv2d_backprop_filter(const Fields& f) {
  const Conv2dShape s = conv2d_shape(f);
  f.run(cpu::conv2d_backprop_filter, cuda::conv2d_backprop_filter,
        {s, f.floats("x", input_size(s)), f.floats("dy", output_size(s)), f.floats("dFilter", filter_size(s))});
}

ChannelMasks channel_masks(const Fields& f, const Conv2dShape& s) {
  return {f.floats("inputMask", product({s.n, s.c_in})), f.floats("outputMask", product({s.n, s.c_out}))};
}

void channel_sparse_conv2d(const Fields& f) {
  const Conv2dShape s = conv2d_shape(f);
  f.run(cpu::channel_sparse_conv2d, cuda::channel_sparse_conv2d,
        {s, channel_masks(f, s), f.floats("x", input_size(s)), f.floats("filter", filter_size(s)),
         f.floats("y", output_size(s))});
}

void channel_sparse_conv2d_backprop_input(const Fields& f) {
  const Conv2dShape s = conv2d_shape(f);
  f.run(cpu::channel_sparse_conv2d_backprop_input, cuda::channel_sparse_conv2d_backprop_input,
        {s, channel_masks(f, s), f.floats("dy", output_size(s)), f.floats("filter", filter_size(s)),
         f.floats("dx", input_size(s))});
}

void channel_sparse_conv2d_backprop_filter(const Fields& f) {
  const Conv2dShape s = conv2d_shape(f);
  f.run(cpu::channel_sparse_conv2d_backprop_filter, cuda::channel_sparse_conv2d_backprop_filter,
        {s, channel_masks(f, s), f.floats("x", input_size(s)), f.floats("dy", output_size(s)),
         f.floats("dFilter", filter_size(s))});
}

Conv2dShape depthwise_shape(const Fields& f) {
  const Conv2dShape s = conv2d_shape(f);
  if (s.c_in == 0 ? s.c_out != 0 : s.c_out % s.c_in != 0) {
    throw Error(ErrorCode::InvalidArgument, "cOut: expected a multiple of cIn");
  }
  return s;
}

int64_t depthwise_filter_size(const Conv2dShape& s) { return product({s.kh, s.kw, s.c_out}); }

void depthwise_conv2d(const Fields& f) {
  const Conv2dShape s = depthwise_shape(f);
  f.run(cpu::depthwise_conv2d, cuda::depthwise_conv2d,
        {s, f.floats("x", input_size(s)), f.floats("filter", depthwise_filter_size(s)),
         f.optional_floats("bias", s.c_out), activation(f), f.floats("y", output_size(s))});
}

void depthwise_conv2d_backprop_input(const Fields& f) {
  const Conv2dShape s = depthwise_shape(f);
  f.run(
      cpu::depthwise_conv2d_backprop_input, cuda::depthwise_conv2d_backprop_input,
      {s, f.floats("dy", output_size(s)), f.floats("filter", depthwise_filter_size(s)), f.floats("dx", input_size(s))});
}

void depthwise_conv2d_backprop_filter(const Fields& f) {
  const Conv2dShape s = depthwise_shape(f);
  f.run(
      cpu::depthwise_conv2d_backprop_filter, cuda::depthwise_conv2d_backprop_filter,
      {s, f.floats("x", input_size(s)), f.floats("dy", output_size(s)), f.floats("dFilter", depthwise_filter_size(s))});
}

constexpr OpEntry kOps[] = {
    {"depthwiseConv2d", depthwise_conv2d},
    {"depthwiseConv2dBackpropInput", depthwise_conv2d_backprop_input},
    {"depthwiseConv2dBackpropFilter", depthwise_conv2d_backprop_filter},
    {"channelSparseConv2d", channel_sparse_conv2d},
    {"channelSparseConv2dBackpropInput", channel_sparse_conv2d_backprop_input},
    {"channelSparseConv2dBackpropFilter", channel_sparse_conv2d_backprop_filter},
    {"conv2d", conv2d},
    {"conv2dBackpropInput", conv2d_backprop_input},
    {"conv2dBackpropFilter", conv2d_backprop_filter},
};

}  // namespace

std::span<const OpEntry> convolution_ops() { return kOps; }

}  // namespace ftwt::binding
