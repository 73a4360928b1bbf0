// Stand in for the ops of compiled networks where the addon is built without CUDA, as ops_absent.cc does.
#include "cuda/network_ops.h"

#include "ops/common.h"

namespace ftwt::cuda {
namespace {

[[noreturn]] void absent() { throw Error(ErrorCode::NoDevice, "This build of the addon has no CUDA support"); }

}  // namespace

void dense_convolution(const DenseConvolution&) { absent(); }
void sparse_convolution(const SparseConvolution&) { absent(); }
void sparse_depthwise(const SparseDepthwise&) { absent(); }
void sparse_pool(const SparsePool&) { absent(); }
void predict_gate(const GatePredictor&) { absent(); }
void global_pool(const GlobalPool&) { absent(); }
void gate_channels(const GateChannels&) { absent(); }

}  // namespace ftwt::cuda
