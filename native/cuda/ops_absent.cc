// Stand in for the kernels where the addon is built without CUDA: no context can be opened, so none is ever called.
#include "ops/batch_norm.h"
#include "ops/binary.h"
#include "ops/cast.h"
#include "ops/channel_saliency.h"
#include "ops/channel_sparse_conv2d.h"
#include "ops/conv2d.h"
#include "ops/copy.h"
#include "ops/depthwise_conv2d.h"
#include "ops/fill.h"
#include "ops/gather.h"
#include "ops/mask_predictor.h"
#include "ops/mass_mask.h"
#include "ops/matmul.h"
#include "ops/pool.h"
#include "ops/reduce.h"
#include "ops/sgd_momentum.h"
#include "ops/top_k_mask.h"
#include "ops/unary.h"

namespace ftwt::cuda {
namespace {

[[noreturn]] void absent() { throw Error(ErrorCode::NoDevice, "This build of the addon has no CUDA support"); }

}  // namespace

void batch_norm(const BatchNormParams&) { absent(); }
void batch_statistics(const BatchStatisticsParams&) { absent(); }
void batch_norm_grad(const BatchNormGradParams&) { absent(); }
void binary(const BinaryParams&) { absent(); }
void select(const SelectParams&) { absent(); }
void logical_and(const LogicalAndParams&) { absent(); }
void channel_saliency(const ChannelSaliencyParams&) { absent(); }
void channel_sparse_conv2d(const ChannelSparseConv2dParams&) { absent(); }
void channel_sparse_conv2d_backprop_input(const ChannelSparseConv2dBackpropInputParams&) { absent(); }
void channel_sparse_conv2d_backprop_filter(const ChannelSparseConv2dBackpropFilterParams&) { absent(); }
void conv2d(const Conv2dParams&) { absent(); }
void conv2d_backprop_input(const Conv2dBackpropInputParams&) { absent(); }
void conv2d_backprop_filter(const Conv2dBackpropFilterParams&) { absent(); }
void cast(const CastParams&) { absent(); }
void copy(const CopyParams&) { absent(); }
void fill(const FillParams&) { absent(); }
void gather(const GatherParams&) { absent(); }
void depthwise_conv2d(const DepthwiseConv2dParams&) { absent(); }
void depthwise_conv2d_backprop_input(const DepthwiseConv2dBackpropInputParams&) { absent(); }
void depthwise_conv2d_backprop_filter(const DepthwiseConv2dBackpropFilterParams&) { absent(); }
void mask_predictor(const MaskPredictorParams&) { absent(); }
void mask_predictor_backprop_input(const MaskPredictorBackpropInputParams&) { absent(); }
void mass_mask(const MassMaskParams&) { absent(); }
void matmul(const MatmulParams&) { absent(); }
void pool(const PoolParams&) { absent(); }
void pool_grad(const PoolGradParams&) { absent(); }
void reduce(const ReduceParams&) { absent(); }
void arg_max(const ArgMaxParams&) { absent(); }
void softmax(const SoftmaxParams&) { absent(); }
void sgd_momentum(const SgdMomentumParams&) { absent(); }
void top_k_mask(const TopKMaskParams&) { absent(); }
void unary(const UnaryParams&) { absent(); }

}  // namespace ftwt::cuda
