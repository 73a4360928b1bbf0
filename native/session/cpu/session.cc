#include <algorithm>
#include <chrono>
#include <cstring>
#include <mutex>
#include <numeric>

#include "cpu/memory.h"
#include "cpu/shared_pages.h"
#include "cpu/thread_pool.h"
#include "session/cpu/convolution.h"
#include "session/cpu/placement.h"
#include "session/cpu/samples.h"
#include "session/cpu/steps.h"
#include "session/cpu/tuning.h"

namespace ftwt::session {
namespace {

struct FreeBlock {
  void operator()(void* block) const { cpu::free_block(block); }
};

// Zeros: lanes of no meaning are read before anything is written there.
template <typename T>
std::unique_ptr<T[], FreeBlock> allocate(int64_t count) {
  const auto bytes = static_cast<std::size_t>(std::max<int64_t>(1, count)) * sizeof(T);
  std::unique_ptr<T[], FreeBlock> block(static_cast<T*>(cpu::allocate_block(bytes)));
  std::memset(block.get(), 0, bytes);
  return block;
}

// The working memory of one run.
struct Workspace {
  std::unique_ptr<float[], FreeBlock> values, local, scratch;
  std::unique_ptr<int32_t[], FreeBlock> lists, counts;
  std::unique_ptr<uint8_t[], FreeBlock> masks;  // where nobody asks for them
};

struct PlacedStep {
  int32_t node;
  std::unique_ptr<Step> step;
};

// Whether an activation changes nothing of a value: it went through the same.
bool keeps(const Plan& plan, int32_t value, Activation activation) {
  if (activation == Activation::Linear) return true;
  if (value == 0) return false;
  const Node& node = plan.nodes[value - 1];
  const bool activated = node.kind == NodeKind::Conv || node.kind == NodeKind::Depthwise || node.kind == NodeKind::Add;
  if (activated) return node.activation == activation;
  const bool selects = (node.kind == NodeKind::Pool && !node.average) || node.kind == NodeKind::Subsample;
  return selects && keeps(plan, node.inputs[0], activation);
}

class CpuSession final : public Session {
 public:
  CpuSession(Plan plan, const CpuOptions& options)
      : plan_(std::move(plan)),
        threads_(options.threads),
        max_samples_(divided(std::min(options.max_batch, samples_at_once(threads_of(options))), threads_of(options))),
        memory_{max_samples_ < threads_of(options) ? 1 : threads_of(options), 0, 0},
        placement_(place(plan_, max_samples_, memory_.threads)) {
    memory_.local = placement_.local_floats;
    int64_t most = 1;
    for (const ValueLayout& value : placement_.values) most = std::max(most, value.shape.c);
    all_.resize(static_cast<std::size_t>(most));
    std::iota(all_.begin(), all_.end(), 0);
    const cpu::ThreadLimit limit(threads_);
    build(options);
  }

  void run(const Run& run) override { execute(run, nullptr); }

  std::vector<NodeProfile> profile(const Run& run) override {
    std::vector<double> seconds(steps_.size());
    execute(run, &seconds);
    std::vector<NodeProfile> result;
    for (std::size_t i = 0; i < steps_.size(); ++i) {
      result.push_back({steps_[i].node, steps_[i].step->variant(), seconds[i] * 1e3});
    }
    return result;
  }

  uint64_t memory_bytes() const override {
    uint64_t bytes = 0;
    for (const PlacedStep& placed : steps_) bytes += placed.step->weight_bytes();
    const std::lock_guard<std::mutex> lock(mutex_);
    return bytes + workspaces_ * workspace_bytes();
  }

 private:
  uint64_t workspace_bytes() const {
    const auto floats = static_cast<uint64_t>(placement_.value_floats + placement_.list_ints +
                                              memory_.threads * (memory_.local + memory_.scratch));
    return floats * sizeof(float) + static_cast<uint64_t>(plan_.mask_width() * max_samples_);
  }

  static int threads_of(const CpuOptions& options) {
    const cpu::ThreadLimit limit(options.threads);
    return cpu::thread_count();
  }

  void build(const CpuOptions& options) {
    int64_t weights = 0;
    for (const Node& node : plan_.nodes) weights += static_cast<int64_t>(node.weights.size());
    Tuner tuner(options, max_samples_, weights);
    const cpu::SharedPages pages(static_cast<std::size_t>(weights) * sizeof(float));
    for (int32_t i = 0; i < static_cast<int32_t>(plan_.nodes.size()); ++i) {
      steps_of_nodes_.push_back(steps_.size());
      add_node(i, tuner);
    }
    steps_of_nodes_.push_back(steps_.size());
    for (Node& node : plan_.nodes) {  // packed by now
      if (node.kind == NodeKind::Conv || node.kind == NodeKind::Depthwise || node.kind == NodeKind::Dense) {
        std::vector<float>().swap(node.weights);
      }
    }
    for (const Section& section : placement_.sections) {
      for (std::size_t i = steps_of_nodes_[section.first]; i < steps_of_nodes_[section.end]; ++i) {
        const int64_t floats = steps_[i].step->scratch_floats(section.samples);
        memory_.scratch = std::max(
            memory_.scratch, round_up(section.shared ? (floats + memory_.threads - 1) / memory_.threads : floats, 16));
      }
    }
    const Lease first(*this);  // a network without room for one run is refused now
  }

  void add_node(int32_t i, Tuner& tuner) {
    const Node& node = plan_.nodes[i];
    const int32_t gate = placement_.gate_of_node[i];
    ValueLayout& output = placement_.values[i + 1];
    std::vector<ValueLayout> inputs;
    for (int32_t value : node.inputs) inputs.push_back(placement_.values[value]);
    const auto add = [&](std::unique_ptr<Step> step) { steps_.push_back({i, std::move(step)}); };
    if (gate >= 0) add(make_predictor(node, inputs[0], gate));
    switch (node.kind) {
      case NodeKind::Conv: {
        Convolution convolution = {&node, inputs[0], output, {}, gate};
        if (node.residual) {
          convolution.residual = placement_.values[*node.residual];
          convolution.residual_stays =
              convolution.residual->lies_where(output) && keeps(plan_, *node.residual, node.activation);
        }
        add(tuner.choose(convolution, section_of(placement_.sections, i)));
        break;
      }
      case NodeKind::Depthwise: add(make_depthwise(node, inputs[0], output, gate)); break;
      case NodeKind::Dense: add(make_dense(node, inputs[0], output)); break;
      case NodeKind::Pool: add(make_pool(node, inputs[0], output)); break;
      case NodeKind::GlobalPool: add(make_global_pool(node, inputs[0], output)); break;
      case NodeKind::Add: add(make_add(node, inputs[0], inputs[1], output)); break;
      case NodeKind::Concat: add(make_concat(node, inputs, output)); break;
      case NodeKind::Pad: add(make_pad(node, inputs[0], output)); break;
      case NodeKind::Activation: add(make_map(node, inputs[0], output)); break;
      case NodeKind::Scale: add(make_scale(node, inputs[0], output)); break;
      case NodeKind::Softmax: add(make_softmax(node, inputs[0], output)); break;
      case NodeKind::Subsample: add(make_subsample(node, inputs[0], output)); break;
      case NodeKind::Reshape: add(make_reshape(node, inputs[0], output)); break;
      case NodeKind::Count: break;
    }
    if (!steps_.back().step->pools()) output.pooled = -1;  // predictors do
    if (node.function &&
        (node.kind == NodeKind::Conv || node.kind == NodeKind::Depthwise || node.kind == NodeKind::Dense)) {
      add(make_function(node, output, gate));
    }
  }

  void execute(const Run& run, std::vector<double>* seconds) {
    const Lease workspace(*this);
    const cpu::ThreadLimit limit(threads_);
    const int64_t outputs = plan_.shape(plan_.output).floats();
    const auto width = plan_.mask_width();
    const auto gates = static_cast<int64_t>(placement_.gates.size());
    for (int64_t first = 0, samples = 0; first < run.n; first += samples) {
      samples = samples_of_part(run.n - first);
      State state;
      state.values = workspace->values.get();
      state.local = workspace->local.get();
      state.scratch = workspace->scratch.get();
      state.lists = workspace->lists.get();
      state.counts = workspace->counts.get();
      state.all = all_.data();
      state.max_samples = max_samples_;
      state.samples = samples;
      state.mask_width = width;
      state.gates = &placement_.gates;
      state.masks = run.masks != nullptr ? run.masks + first * width : workspace->masks.get();
      if (run.forced_masks != nullptr) state.forced_masks = run.forced_masks + first * width;
      read_images(run.images + first * plan_.input.floats(), state, placement_.values[0]);
      for (const Section& section : placement_.sections) run_section(section, state, seconds);
      write_images(state, placement_.values[plan_.output], run.output + first * outputs);
      for (int64_t s = 0; s < state.samples && run.active_counts != nullptr; ++s) {
        for (int64_t g = 0; g < gates; ++g) {
          run.active_counts[(first + s) * gates + g] = state.counts[g * max_samples_ + s];
        }
      }
    }
  }

  // Of the samples that are left: as many as the threads divide, then the rest.
  int64_t samples_of_part(int64_t left) const {
    const int threads = cpu::thread_count();
    const int64_t most = std::min(max_samples_, left);
    return threads <= memory_.threads ? divided(most, threads) : most;
  }

  static int64_t divided(int64_t samples, int threads) {
    return samples > threads ? samples - samples % threads : samples;
  }

  void run_section(const Section& section, const State& state, std::vector<double>* seconds) const {
    const std::size_t begin = steps_of_nodes_[section.first], end = steps_of_nodes_[section.end];
    const ThreadMemory memory = section.shared ? memory_.together() : memory_;
    if (seconds == nullptr) {
      for_samples(state, section.samples, memory, [&](const State& some, int) {
        for (std::size_t i = begin; i < end; ++i) steps_[i].step->run(some);
      });
      return;
    }
    // Of each thread. The section's time is shared out as the steps' times are.
    std::vector<std::vector<double>> times(static_cast<std::size_t>(memory_.threads), std::vector<double>(end - begin));
    const auto since = [](std::chrono::steady_clock::time_point start) {
      return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    };
    const auto section_start = std::chrono::steady_clock::now();
    for_samples(state, section.samples, memory, [&](const State& some, int thread) {
      for (std::size_t i = begin; i < end; ++i) {
        const auto start = std::chrono::steady_clock::now();
        steps_[i].step->run(some);
        times[thread][i - begin] += since(start);
      }
    });
    const double wall = since(section_start);
    double total = 0;
    for (const std::vector<double>& own : times) total = std::accumulate(own.begin(), own.end(), total);
    for (const std::vector<double>& own : times) {
      for (std::size_t i = begin; i < end && total > 0; ++i) (*seconds)[i] += wall * own[i - begin] / total;
    }
  }

  // Lends a workspace to one run, also to one that throws.
  class Lease {
   public:
    explicit Lease(CpuSession& session) : session_(session), workspace_(session.take_workspace()) {}
    ~Lease() {
      const std::lock_guard<std::mutex> lock(session_.mutex_);
      session_.idle_.push_back(std::move(workspace_));
    }
    Lease(const Lease&) = delete;
    Lease& operator=(const Lease&) = delete;
    const Workspace* operator->() const { return &workspace_; }

   private:
    CpuSession& session_;
    Workspace workspace_;
  };

  Workspace take_workspace() {
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      if (!idle_.empty()) {
        Workspace workspace = std::move(idle_.back());
        idle_.pop_back();
        return workspace;
      }
    }
    const auto gates = static_cast<int64_t>(placement_.gates.size());
    const cpu::SharedPages pages(workspace_bytes());
    Workspace workspace = {allocate<float>(placement_.value_floats),
                           allocate<float>(memory_.threads * memory_.local),
                           allocate<float>(memory_.threads * memory_.scratch),
                           allocate<int32_t>(placement_.list_ints),
                           allocate<int32_t>(gates * max_samples_),
                           allocate<uint8_t>(plan_.mask_width() * max_samples_)};
    const std::lock_guard<std::mutex> lock(mutex_);
    ++workspaces_;
    idle_.reserve(workspaces_);  // so that giving one back needs no memory
    return workspace;
  }

  Plan plan_;
  int threads_;
  int64_t max_samples_;
  ThreadMemory memory_;
  Placement placement_;
  std::vector<int32_t> all_;
  std::vector<PlacedStep> steps_;
  std::vector<std::size_t> steps_of_nodes_;  // the first step of each node, and their number

  mutable std::mutex mutex_;
  std::vector<Workspace> idle_;
  uint64_t workspaces_ = 0;
};

}  // namespace

std::unique_ptr<Session> compile_cpu(Plan plan, const CpuOptions& options) {
  return std::make_unique<CpuSession>(std::move(plan), options);
}

}  // namespace ftwt::session
