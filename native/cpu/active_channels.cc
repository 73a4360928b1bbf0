#include "cpu/active_channels.h"

#include <algorithm>

namespace ftwt::cpu {

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

ActiveChannels::ActiveChannels(const ChannelMasks& masks, int64_t n, int64_t c_in, int64_t c_out)
    : n_(n), in_(masks.input, n, c_in), out_(masks.output, n, c_out) {}

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

}  // namespace ftwt::cpu
