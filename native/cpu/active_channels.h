// Which channels of each sample are active, the runs of samples that agree about it, and whether skipping the others
// pays.
#pragma once
#include <cstdint>
#include <span>
#include <vector>

#include "ops/channel_sparse_conv2d.h"

namespace ftwt::cpu {

// Consecutive samples with the same active channels.
struct SampleRun {
  int64_t first, count;
  std::span<const int32_t> in, out;  // active channels, ascending
};

class ActiveChannels {
 public:
  ActiveChannels(const ChannelMasks& masks, const Conv2dShape& shape);

  // Runs of at most `longest` samples.
  std::vector<SampleRun> runs(int64_t longest) const;

 private:
  // [n, c] in one block; sample i has counts[i] of its c places in use.
  struct Lists {
    std::vector<int32_t> channels;
    std::vector<int64_t> counts;
    int64_t c;
    Lists(const float* mask, int64_t n, int64_t channel_count);
    std::span<const int32_t> of(int64_t sample) const {
      return {channels.data() + sample * c, static_cast<std::size_t>(counts[sample])};
    }
  };

  int64_t n_;
  Lists in_, out_;
};

// How a batch is computed.
struct SparsePlan {
  std::vector<SampleRun> runs;
  bool by_runs;                  // each thread has runs of its own
  bool dense;                    // all channels of all samples at once
  bool all_inputs, all_outputs;  // nothing is masked

  SparsePlan(const ActiveChannels& active, const Conv2dShape& shape);
  int64_t run_count() const { return static_cast<int64_t>(runs.size()); }
};

}  // namespace ftwt::cpu
