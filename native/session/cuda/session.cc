#include "session/session.h"

#include <algorithm>
#include <mutex>
#include <numeric>

#include "session/cuda/workspace.h"

namespace ftwt::session {
namespace {

using device::Network;
using device::Workspace;

// Of a workspace; a run of more samples than fit goes in pieces. 1 GiB is far more than what fills any device at once.
constexpr int64_t kWorkspaceBytes = int64_t{1} << 30;
constexpr int64_t kDeviceShare = 8;  // and a workspace is at most this part of the device's memory

int64_t batch_of(const Plan& plan, int64_t max_batch, uint64_t device_bytes) {
  const int64_t bytes = std::min(kWorkspaceBytes, static_cast<int64_t>(device_bytes) / kDeviceShare);
  const int64_t sample = device::lay_out(plan, 1).value_floats * static_cast<int64_t>(sizeof(float));
  return std::clamp<int64_t>(bytes / sample, 1, max_batch);
}

class CudaSession final : public Session {
 public:
  CudaSession(Plan plan, const CudaOptions& options) {
    network_.context = options.context->another();  // its memory goes with the session
    network_.context->set_precision(options.precision);
    network_.plan = std::move(plan);
    network_.batch = batch_of(network_.plan, options.max_batch, network_.context->memory().total);
    network_.layout = device::lay_out(network_.plan, network_.batch);
    device::Weights weights(options.precision);
    network_.steps = device::make_steps(network_.plan, network_.layout, weights);
    for (Node& node : network_.plan.nodes) {  // they are in `weights`
      std::vector<float>().swap(node.weights);
      if (node.predictor) std::vector<float>().swap(node.predictor->weights);
    }
    upload(weights.all());
    idle_.push_back(take_workspace());  // so that a lack of memory is known now
  }

  void run(const Run& run) override {
    in_pieces(run, [](Workspace& workspace, const Run& piece, int64_t size) { workspace.run(piece, size); });
  }

  std::vector<NodeProfile> profile(const Run& run) override {
    std::vector<double> milliseconds(network_.steps.size());
    in_pieces(run, [&](Workspace& workspace, const Run& piece, int64_t size) {
      workspace.profile(piece, size, milliseconds);
    });
    std::vector<NodeProfile> result;
    for (std::size_t i = 0; i < milliseconds.size(); ++i) {
      const device::PlacedStep& placed = network_.steps[i];
      result.push_back({placed.node, placed.step->variant(), milliseconds[i]});
    }
    return result;
  }

  uint64_t memory_bytes() const override { return network_.bytes; }

 private:
  void upload(const std::vector<float>& weights) {
    int64_t most = network_.plan.input.c;
    for (const Node& node : network_.plan.nodes) most = std::max(most, node.out.c);
    std::vector<int32_t> channels(static_cast<std::size_t>(most) + 1);
    std::iota(channels.begin(), channels.end(), 0);
    const std::size_t weight_bytes = weights.size() * sizeof(float), channel_bytes = channels.size() * sizeof(int32_t);
    network_.block = std::make_unique<cuda::DeviceBlock>(network_.context, weight_bytes + channel_bytes);
    network_.bytes += network_.block->bytes();
    auto* begin = static_cast<uint8_t*>(network_.block->data());
    network_.weights = reinterpret_cast<float*>(begin);
    network_.channels = reinterpret_cast<int32_t*>(begin + weight_bytes);
    if (weight_bytes > 0) network_.context->upload(begin, weights.data(), weight_bytes);
    network_.context->upload(begin + weight_bytes, channels.data(), channel_bytes);
    network_.context->synchronize();  // workspaces have streams of their own
  }

  // All pieces have one size, so that a sample's sums do not depend on which piece it is in. What `body` throws takes
  // its workspace with it.
  template <typename Body>
  void in_pieces(const Run& run, const Body& body) {
    std::unique_ptr<Workspace> workspace = take_workspace();
    const int64_t size = std::min(run.n, network_.batch);
    const int64_t width = network_.plan.mask_width(), gates = network_.layout.gates.count();
    for (int64_t first = 0; first < run.n; first += size) {
      Run piece = run;
      piece.n = std::min(size, run.n - first);
      piece.images += first * network_.plan.input.floats();
      piece.output += first * network_.plan.shape(network_.plan.output).floats();
      if (run.active_counts != nullptr) piece.active_counts += first * gates;
      if (run.masks != nullptr) piece.masks += first * width;
      if (run.forced_masks != nullptr) piece.forced_masks += first * width;
      body(*workspace, piece, size);
    }
    const std::lock_guard<std::mutex> lock(mutex_);
    idle_.push_back(std::move(workspace));
  }

  std::unique_ptr<Workspace> take_workspace() {
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      if (!idle_.empty()) {
        std::unique_ptr<Workspace> workspace = std::move(idle_.back());
        idle_.pop_back();
        return workspace;
      }
    }
    const cuda::UseContext use(*network_.context);
    return std::make_unique<Workspace>(network_);
  }

  Network network_;
  std::mutex mutex_;
  std::vector<std::unique_ptr<Workspace>> idle_;
};

}  // namespace

std::unique_ptr<Session> compile_cuda(Plan plan, const CudaOptions& options) {
  return std::make_unique<CudaSession>(std::move(plan), options);
}

}  // namespace ftwt::session
