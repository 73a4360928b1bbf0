// What steps over planes share: loops over the planes of all samples.
#pragma once
#include <algorithm>

#include "cpu/thread_pool.h"
#include "session/cpu/state.h"

namespace ftwt::session {

// Work below this many floats (some 5 us) costs more to hand to another thread than it saves.
constexpr int64_t kPlaneGrain = 16384;

// body(sample, channels) for parts of the lists of every sample, on the pool. `floats`: of work for each channel. One
// sample's channels are shared out evenly, those of several by number.
template <typename Body>
void for_each_range(const State& state, int32_t gate, int64_t channels, int64_t floats, const Body& body) {
  const int64_t grain = kPlaneGrain / std::max<int64_t>(1, floats) + 1;
  const bool one = state.samples == 1;
  const int64_t length = one ? state.active(gate, 0, channels).count : channels;
  cpu::parallel_share(state.samples * length, grain, [&](int64_t begin, int64_t end, int) {
    for (int64_t s = begin / length; s * length < end; ++s) {
      const cpu::ChannelList active = state.active(gate, s, channels);
      const int64_t first = std::max<int64_t>(begin - s * length, 0);
      const int64_t last = std::min<int64_t>({end - s * length, length, active.count});
      if (first < last) body(s, cpu::ChannelList{active.index + first, last - first});
    }
  });
}

// body(sample, channel) for the listed channels of every sample, on the pool. `floats`: of work for each.
template <typename Body>
void for_each_plane(const State& state, int32_t gate, int64_t channels, int64_t floats, const Body& body) {
  for_each_range(state, gate, channels, floats, [&](int64_t s, cpu::ChannelList list) {
    for (int64_t j = 0; j < list.count; ++j) body(s, list.index[j]);
  });
}

// body(sample, j) for the j-th active channel of each of `samples` samples, `first` being the first, on the pool.
template <typename Body>
void for_each_active(const State& state, const ValueLayout& value, int64_t first, int64_t samples, int64_t floats,
                     const Body& body) {
  const int64_t channels = value.shape.c;
  cpu::parallel_share(samples * channels, kPlaneGrain / floats + 1, [&](int64_t begin, int64_t end, int) {
    for (int64_t i = begin; i < end; ++i) {
      const int64_t s = first + i / channels, j = i % channels;
      if (j < state.active(value, s).count) body(s, j);
    }
  });
}

// out[channel]: the mean, or the largest, of the pixels of each listed plane of a sample.
inline void pool_listed(const State& state, const ValueLayout& value, int64_t s, cpu::ChannelList list, bool average,
                        float* out) {
  const auto kernel = average ? FTWT_KERNEL(plane_means) : FTWT_KERNEL(plane_maxima);
  kernel(state.sample(value, s), value.plane, value.shape.pixels(), list, out);
}

// Where a step leaves what predictors pool of its output: zeros of channels that it does not write, the others' as soon
// as their planes are written.
inline void clear_pooled(const State& state, const ValueLayout& value, int32_t gate) {
  if (value.pooled < 0 || gate < 0) return;
  for (int64_t s = 0; s < state.samples; ++s) std::fill_n(state.pooled(value, s), value.shape.c, 0.0f);
}
inline void pool_written(const State& state, const ValueLayout& value, int64_t s, cpu::ChannelList list) {
  if (value.pooled >= 0) pool_listed(state, value, s, list, value.pooled_average, state.pooled(value, s));
}

// The mean, or the largest, of each stored plane of every sample, to out(sample).
template <typename Out>
void pool_planes(const State& state, const ValueLayout& value, bool average, const Out& out) {
  for_each_range(state, value.gate, value.shape.c, value.shape.pixels(),
                 [&](int64_t s, cpu::ChannelList list) { pool_listed(state, value, s, list, average, out(s)); });
}

// body(sample, channel, whether the gate lists it) for all channels of every sample.
template <typename Body>
void for_every_plane(const State& state, const ValueLayout& value, int32_t gate, const Body& body) {
  const int64_t channels = value.shape.c;
  const int64_t grain = kPlaneGrain / std::max<int64_t>(1, value.shape.pixels()) + 1;
  cpu::parallel_share(state.samples * channels, grain, [&](int64_t begin, int64_t end, int) {
    for (int64_t s = begin / channels; s * channels < end; ++s) {
      const int64_t first = std::max<int64_t>(begin - s * channels, 0);
      const int64_t last = std::min(end - s * channels, channels);
      const cpu::ChannelList active = state.active(gate, s, channels);
      const int32_t* stop = active.index + active.count;
      const int32_t* next = std::lower_bound(active.index, stop, static_cast<int32_t>(first));
      for (int64_t channel = first; channel < last; ++channel) {
        const bool listed = next != stop && *next == channel;
        next += listed;
        body(s, channel, listed);
      }
    }
  });
}

// Zeros in the channels that are not computed, where the output stores all.
inline void zero_other_planes(const State& state, int32_t gate, const ValueLayout& output) {
  if (gate < 0 || !output.whole) return;
  for_every_plane(state, output, gate, [&](int64_t s, int64_t channel, bool computed) {
    if (!computed) std::fill_n(state.sample(output, s) + channel * output.plane, output.shape.pixels(), 0.0f);
  });
}

}  // namespace ftwt::session
