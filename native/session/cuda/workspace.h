// A compiled plan, and what one run of it needs: memory, a stream, and a graph for every size of batch.
#pragma once
#include <atomic>
#include <map>
#include <memory>
#include <utility>
#include <vector>

#include "cuda/recording.h"
#include "session/cuda/steps.h"
#include "session/session.h"

namespace ftwt::session::device {

// What all workspaces of a session share; nothing of it changes once it is compiled.
struct Network {
  Plan plan;
  Layout layout;  // of `batch` samples
  int64_t batch = 0;
  std::shared_ptr<ftwt::cuda::Context> context;
  std::vector<PlacedStep> steps;
  std::unique_ptr<ftwt::cuda::DeviceBlock> block;  // weights, then the numbers of the channels
  const float* weights = nullptr;
  const int32_t* channels = nullptr;
  mutable std::atomic<uint64_t> bytes{0};  // of the device
};

// Used by one thread at a time.
class Workspace {
 public:
  // With the network's context in use.
  explicit Workspace(const Network& network);
  ~Workspace();

  // Computes `size` >= run.n samples at most `batch`; what the last ones are does not matter. Waits.
  void run(const Run& run, int64_t size);
  // The same step by step; adds the milliseconds of each.
  void profile(const Run& run, int64_t size, std::vector<double>& milliseconds);

 private:
  // Where the arrays of a run lie, in bytes from the beginning of the block.
  struct Parts {
    int64_t lists, counts, masks, forced, end;
  };
  using GraphKey = std::pair<int64_t, bool>;  // size, forced masks

  static Parts parts_of(const Network& network);
  State state(int64_t size, bool forced) const;
  void send_inputs(const Run& run, const State& state) const;
  void read_host(const Run& run) const;
  void queue_inputs(const State& state) const;
  void queue_outputs(const State& state) const;
  ftwt::cuda::Graph& graph(GraphKey key);
  void grow_scratch(std::size_t bytes);

  const Network& network_;
  std::shared_ptr<ftwt::cuda::Context> context_;
  Parts parts_;
  ftwt::cuda::DeviceBlock block_;
  std::unique_ptr<ftwt::cuda::DeviceBlock> scratch_;
  // As on the device: images and forced masks; output, counts and masks.
  ftwt::cuda::HostBlock images_, forced_, output_, counts_, masks_;
  std::map<GraphKey, std::unique_ptr<ftwt::cuda::Graph>> graphs_;
};

}  // namespace ftwt::session::device
