// What the steps of a compiled plan work on.
#pragma once
#include <cstdint>
#include <vector>

#include "cpu/memory.h"
#include "cpu/planes/planes.h"
#include "session/session.h"

namespace ftwt::session {

// Where a value lies in the working memory: planes [sample, c, pixels], a plane's pixels contiguous.
struct ValueLayout {
  Shape shape;
  int64_t plane;   // floats from channel to channel
  int64_t sample;  // floats from sample to sample
  int64_t offset;  // of the first sample, in State::values, or in State::local where `local`
  // Which dynamic node's active channels are the only ones that are not 0; -1: any may be.
  int32_t gate = -1;
  bool whole = true;   // the others are stored, too
  bool local = false;  // there only for the samples that run now
  // Where its node leaves what predictors pool of it: floats from a sample's first plane to [c]; -1: it does not.
  int64_t pooled = -1;
  bool pooled_average = false;  // else the largest pixels

  bool lies_where(const ValueLayout& other) const { return offset == other.offset && local == other.local; }
};

// The channels that each sample of a run computes in one dynamic node.
struct Gate {
  int64_t channels;
  int64_t mask_offset;  // within one sample's masks
  int64_t list_offset;  // within State::lists, for max_samples samples
};

// One run's working memory and arguments.
struct State {
  float* values = nullptr;
  float* local = nullptr;        // of the samples that run now
  float* scratch = nullptr;      // of the step that runs
  int32_t* lists = nullptr;      // active channels
  int32_t* counts = nullptr;     // [gates, max_samples]
  const int32_t* all = nullptr;  // 0, 1, 2 ...
  int64_t max_samples = 0;
  int64_t first = 0;  // of the samples that run now
  int64_t samples = 0;
  uint8_t* masks = nullptr;               // [samples, mask_width], of sample 0
  const uint8_t* forced_masks = nullptr;  // the same, or none
  int64_t mask_width = 0;
  const std::vector<Gate>* gates = nullptr;

  // Samples are numbered from the first of those that run now.
  float* sample(const ValueLayout& value, int64_t s) const {
    return (value.local ? local : values + first * value.sample) + value.offset + s * value.sample;
  }

  float* pooled(const ValueLayout& value, int64_t s) const { return sample(value, s) + value.pooled; }

  int32_t* list(int32_t gate, int64_t s) const {
    return lists + (*gates)[gate].list_offset + (first + s) * (*gates)[gate].channels;
  }
  int32_t& count(int32_t gate, int64_t s) const { return counts[gate * max_samples + first + s]; }
  int64_t mask_at(int32_t gate, int64_t s) const { return (first + s) * mask_width + (*gates)[gate].mask_offset; }
  uint8_t* mask(int32_t gate, int64_t s) const { return masks + mask_at(gate, s); }
  const uint8_t* forced(int32_t gate, int64_t s) const {
    return forced_masks == nullptr ? nullptr : forced_masks + mask_at(gate, s);
  }

  cpu::ChannelList active(int32_t gate, int64_t s, int64_t channels) const {
    if (gate < 0) return {all, channels};
    return {list(gate, s), count(gate, s)};
  }
  cpu::ChannelList active(const ValueLayout& value, int64_t s) const { return active(value.gate, s, value.shape.c); }
};

// One node, or a part of it, with its packed weights. `run` is called by many threads at once, on states of their own.
class Step {
 public:
  virtual ~Step() = default;
  virtual void run(const State& state) const = 0;
  virtual int64_t scratch_floats(int64_t /*samples*/) const { return 0; }
  virtual const char* variant() const = 0;
  virtual uint64_t weight_bytes() const { return 0; }
  virtual bool pools() const { return false; }  // what predictors pool of its output, see ValueLayout
};

constexpr int64_t round_up(int64_t count, int64_t multiple) { return (count + multiple - 1) / multiple * multiple; }

// Rows of `floats` that start in different sets of the caches: an odd number of lines.
constexpr int64_t spread_stride(int64_t floats) { return ((floats + 15) / 16 | 1) * 16; }

// Floats from one output channel's weights to the next's: those of a tile's channels lie in different sets of the
// caches.
inline int64_t weight_stride(int64_t floats) { return spread_stride(floats); }

}  // namespace ftwt::session
