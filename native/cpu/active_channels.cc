#include "cpu/active_channels.h"

#include <algorithm>

#include "cpu/thread_pool.h"

namespace ftwt::cpu {
namespace {

// Runs per thread, so that samples with many active channels even out.
constexpr int64_t kRunsPerThread = 4;

// Every run packs its part of the filter, and packing an element takes about as long as using it for this many pixels
// (measured with AVX-512 and 128 to 256 channels).
constexpr int64_t kPackPixels = 100;

double cost(const Conv2dShape& shape, int64_t samples, int64_t in, int64_t out) {
  return static_cast<double>(samples * shape.out_h * shape.out_w + kPackPixels) * static_cast<double>(in * out);
}

}  // namespace

ActiveChannels::Lists::Lists(const float* mask, int64_t n, int64_t channel_count)
    : channels(static_cast<std::size_t>(n * channel_count)), counts(static_cast<std::size_t>(n)), c(channel_count) {
  for (int64_t sample = 0; sample < n; ++sample) {
    int32_t* list = channels.data() + sample * c;
    int64_t count = 0;
    for (int64_t i = 0; i < c; ++i) {
      if (mask[sample * c + i] > 0) list[count++] = static_cast<int32_t>(i);
    }
    counts[sample] = count;
  }
}

ActiveChannels::ActiveChannels(const ChannelMasks& masks, const Conv2dShape& shape)
    : n_(shape.n), in_(masks.input, shape.n, shape.c_in), out_(masks.output, shape.n, shape.c_out) {}

std::vector<SampleRun> ActiveChannels::runs(int64_t longest) const {
  std::vector<SampleRun> runs;
  for (int64_t sample = 0; sample < n_; ++sample) {
    const auto in = in_.of(sample);
    const auto out = out_.of(sample);
    if (!runs.empty() && runs.back().count < longest && std::ranges::equal(runs.back().in, in) &&
        std::ranges::equal(runs.back().out, out)) {
      ++runs.back().count;
    } else {
      runs.push_back({sample, 1, in, out});
    }
  }
  return runs;
}

SparsePlan::SparsePlan(const ActiveChannels& active, const Conv2dShape& shape) : runs(active.runs(shape.n)) {
  const int64_t threads = thread_count();
  by_runs = threads > 1 && run_count() >= threads;
  if (by_runs) runs = active.runs(std::max<int64_t>(1, shape.n / (threads * kRunsPerThread)));
  all_inputs = all_outputs = true;
  double sparse_cost = 0;
  for (const SampleRun& run : runs) {
    const auto in = static_cast<int64_t>(run.in.size());
    const auto out = static_cast<int64_t>(run.out.size());
    all_inputs &= in == shape.c_in;
    all_outputs &= out == shape.c_out;
    sparse_cost += cost(shape, run.count, in, out);
  }
  dense = sparse_cost >= cost(shape, shape.n, shape.c_in, shape.c_out);
}

}  // namespace ftwt::cpu
