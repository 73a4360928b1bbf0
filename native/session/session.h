// A compiled plan. Executors differ by device; callers do not.
#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "cuda/runtime.h"
#include "session/plan.h"

namespace ftwt::session {

struct Run {
  const float* images;  // [n, h, w, c]
  int64_t n;            // 1 to max_batch
  float* output;        // [n, floats of the output value]

  // Each may be nullptr. Nodes with a predictor follow each other in the order of the plan.
  int32_t* active_counts = nullptr;  // [n, dynamic_nodes]
  uint8_t* masks = nullptr;          // [n, mask_width], 1 = active
  const uint8_t* forced_masks =
      nullptr;  // [n, mask_width], in place of what the predictors say (they run all the same)
};

struct NodeProfile {
  int32_t node;
  std::string variant;  // which kernel runs the node
  double milliseconds;  // its share of one run, all samples
};

class Session {
 public:
  virtual ~Session() = default;
  // Any number of threads may run at once. A sample's masks are the same in any batch, and so are the bits of its
  // output on the CPU; on a GPU they are in any batch of the same size.
  virtual void run(const Run& run) = 0;
  // As `run`, timed node by node.
  virtual std::vector<NodeProfile> profile(const Run& run) = 0;
  virtual uint64_t memory_bytes() const = 0;  // weights and working memory
};

struct CpuOptions {
  int64_t max_batch;
  int threads = 0;        // most of a run; 0: as many as there are
  bool measure = true;    // chooses kernels by timing them here, else by rule
  std::string variant{};  // of convolutions, wherever it is possible; for tests
};

std::unique_ptr<Session> compile_cpu(Plan plan, const CpuOptions& options);

struct CudaOptions {
  int64_t max_batch;
  std::shared_ptr<cuda::Context> context;  // of the device to run on
  cuda::Precision precision = cuda::Precision::Fp32;
};

// Throws OutOfMemory where the device has no room for the weights and one run; InvalidArgument where a value of the
// plan is too large for it, or it lacks the precision.
std::unique_ptr<Session> compile_cuda(Plan plan, const CudaOptions& options);

}  // namespace ftwt::session
