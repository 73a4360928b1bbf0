#include "session/cuda/workspace.h"

#include <algorithm>
#include <cstring>

#include "cpu/thread_pool.h"

namespace ftwt::session::device {
namespace {

namespace cuda = ftwt::cuda;

std::size_t float_bytes(int64_t floats) { return static_cast<std::size_t>(floats) * sizeof(float); }

int64_t align(int64_t bytes) { return (bytes + 255) / 256 * 256; }

// While one piece of the images is on its way to the device, the next is copied to where copies start from.
constexpr int64_t kPieceFloats = 1 << 20;
constexpr int64_t kCopyGrain = 1 << 16;  // floats of a thread

bool goes_in_pieces(const State& state) { return state.floats(0) > kPieceFloats; }

}  // namespace

Workspace::Parts Workspace::parts_of(const Network& network) {
  const int64_t batch = network.batch;
  Parts parts;
  parts.lists = align(network.layout.value_floats * static_cast<int64_t>(sizeof(float)));
  parts.counts = align(parts.lists + network.layout.list_ints * static_cast<int64_t>(sizeof(int32_t)));
  parts.masks = align(parts.counts + batch * network.layout.gates.count() * static_cast<int64_t>(sizeof(int32_t)));
  parts.forced = align(parts.masks + batch * network.plan.mask_width());
  parts.end = align(parts.forced + batch * network.plan.mask_width());
  return parts;
}

Workspace::Workspace(const Network& network)
    : network_(network),
      context_(network.context->another()),
      parts_(parts_of(network)),
      block_(context_, static_cast<std::size_t>(parts_.end)),
      images_(float_bytes(network.batch * network.plan.input.floats())),
      forced_(static_cast<std::size_t>(network.batch * network.plan.mask_width())),
      output_(float_bytes(network.batch * network.plan.shape(network.plan.output).floats())),
      counts_(static_cast<std::size_t>(network.batch * network.layout.gates.count()) * sizeof(int32_t)),
      masks_(static_cast<std::size_t>(network.batch * network.plan.mask_width())) {
  network_.bytes += block_.bytes();
}

Workspace::~Workspace() { network_.bytes -= block_.bytes() + (scratch_ ? scratch_->bytes() : 0); }

State Workspace::state(int64_t size, bool forced) const {
  auto* begin = static_cast<uint8_t*>(block_.data());
  State state;
  state.layout = &network_.layout;
  state.weights = network_.weights;
  state.channels = network_.channels;
  state.values = reinterpret_cast<float*>(begin);
  state.lists = reinterpret_cast<int32_t*>(begin + parts_.lists);
  state.counts = reinterpret_cast<int32_t*>(begin + parts_.counts);
  state.masks = begin + parts_.masks;
  state.forced = forced ? begin + parts_.forced : nullptr;
  state.mask_width = network_.plan.mask_width();
  state.batch = network_.batch;
  state.n = size;
  return state;
}

void Workspace::run(const Run& run, int64_t size) {
  const cuda::UseContext use(*context_);
  const bool forced = run.forced_masks != nullptr;
  cuda::Graph& recorded = graph({size, forced});
  send_inputs(run, state(size, forced));
  recorded.launch();
  context_->synchronize();
  read_host(run);
}

void Workspace::profile(const Run& run, int64_t size, std::vector<double>& milliseconds) {
  const cuda::UseContext use(*context_);
  const bool forced = run.forced_masks != nullptr;
  graph({size, forced});  // there is enough scratch now
  const cuda::UseScratch scratch(scratch_ ? scratch_->data() : nullptr, scratch_ ? scratch_->bytes() : 0);
  const State at = state(size, forced);
  send_inputs(run, at);
  queue_inputs(at);
  const std::unique_ptr<cuda::Stopwatch> stopwatch = cuda::start_stopwatch();
  for (const PlacedStep& placed : network_.steps) {
    placed.step->queue(at);
    stopwatch->mark();
  }
  queue_outputs(at);
  context_->synchronize();
  const std::vector<double> times = stopwatch->milliseconds();
  for (std::size_t i = 0; i < times.size(); ++i) milliseconds[i] += times[i];
  read_host(run);
}

cuda::Graph& Workspace::graph(GraphKey key) {
  while (graphs_.count(key) == 0) {
    const State at = state(key.first, key.second);
    const cuda::UseScratch scratch(scratch_ ? scratch_->data() : nullptr, scratch_ ? scratch_->bytes() : 0);
    auto recorded = cuda::record_graph([&] {
      queue_inputs(at);
      for (const PlacedStep& placed : network_.steps) placed.step->queue(at);
      queue_outputs(at);
    });
    if (scratch.sufficed()) {
      graphs_[key] = std::move(recorded);
    } else {
      grow_scratch(scratch.peak());
    }
  }
  return *graphs_.at(key);
}

// Graphs know where their scratch is, so those that there are go with it.
void Workspace::grow_scratch(std::size_t bytes) {
  graphs_.clear();
  if (scratch_) network_.bytes -= scratch_->bytes();
  scratch_.reset();
  scratch_ = std::make_unique<cuda::DeviceBlock>(context_, bytes);
  network_.bytes += bytes;
}

// To memory that copies start from; images that are too large for the graph, to the device as well.
void Workspace::send_inputs(const Run& run, const State& state) const {
  const int64_t floats = run.n * network_.plan.input.floats();
  for (int64_t first = 0; first < floats; first += kPieceFloats) {
    float* piece = images_.as<float>() + first;
    const int64_t count = std::min(kPieceFloats, floats - first);
    cpu::parallel_for(count, kCopyGrain, [&](int64_t begin, int64_t end, int) {
      std::memcpy(piece + begin, run.images + first + begin, float_bytes(end - begin));
    });
    if (goes_in_pieces(state)) cuda::queue_upload(state.data(0) + first, piece, float_bytes(count));
  }
  if (run.forced_masks == nullptr) return;
  std::memcpy(forced_.as<uint8_t>(), run.forced_masks, static_cast<std::size_t>(run.n * network_.plan.mask_width()));
}

void Workspace::read_host(const Run& run) const {
  const int64_t gates = network_.layout.gates.count();
  std::memcpy(run.output, output_.as<float>(), float_bytes(run.n * network_.plan.shape(network_.plan.output).floats()));
  if (run.active_counts != nullptr) {
    std::memcpy(run.active_counts, counts_.as<int32_t>(), static_cast<std::size_t>(run.n * gates) * sizeof(int32_t));
  }
  if (run.masks != nullptr) {
    std::memcpy(run.masks, masks_.as<uint8_t>(), static_cast<std::size_t>(run.n * network_.plan.mask_width()));
  }
}

void Workspace::queue_inputs(const State& state) const {
  if (!goes_in_pieces(state)) cuda::queue_upload(state.data(0), images_.as<float>(), float_bytes(state.floats(0)));
  if (state.forced == nullptr) return;
  cuda::queue_upload(static_cast<uint8_t*>(block_.data()) + parts_.forced, forced_.as<uint8_t>(),
                     static_cast<std::size_t>(state.n * state.mask_width));
}

void Workspace::queue_outputs(const State& state) const {
  const int32_t value = network_.plan.output;
  const int64_t gates = network_.layout.gates.count();
  cuda::queue_download(output_.as<float>(), state.data(value), float_bytes(state.floats(value)));
  cuda::queue_download(counts_.as<int32_t>(), state.counts,
                       static_cast<std::size_t>(state.n * gates) * sizeof(int32_t));
  cuda::queue_download(masks_.as<uint8_t>(), state.masks, static_cast<std::size_t>(state.n * state.mask_width));
}

}  // namespace ftwt::session::device
