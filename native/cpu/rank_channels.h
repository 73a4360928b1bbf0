// The order in which the mask rules take the channels of a sample.
#pragma once
#include <algorithm>
#include <bit>
#include <cstdint>
#include <vector>

namespace ftwt::cpu {

// Saliencies above this count as this, so that no sum of them overflows (src/ops/rankChannels.ts has the same bound).
constexpr float kLargestSaliency = 1e30f;

// The channels of one sample by falling saliency, among equals the lower channel first. NaN and negative count as 0.
class RankedChannels {
 public:
  explicit RankedChannels(int64_t channels) : keys_(static_cast<std::size_t>(channels)) {}

  void rank(const float* saliency) {
    for (std::size_t i = 0; i < keys_.size(); ++i) {
      const float value = saliency[i] > 0 ? std::min(saliency[i], kLargestSaliency) : 0.0f;
      // The bits of floats >= 0 order like the floats; inverted, one integer comparison decides value and index.
      keys_[i] = static_cast<uint64_t>(~std::bit_cast<uint32_t>(value)) << 32 | i;
    }
    std::sort(keys_.begin(), keys_.end());
  }

  int64_t size() const { return static_cast<int64_t>(keys_.size()); }
  int64_t channel(int64_t rank) const { return static_cast<int64_t>(keys_[rank] & 0xffffffffu); }
  float saliency(int64_t rank) const { return std::bit_cast<float>(~static_cast<uint32_t>(keys_[rank] >> 32)); }

  // mask [size()]: 1 for the `count` leading channels.
  void write_mask(int64_t count, float* mask) const {
    for (int64_t rank = 0; rank < size(); ++rank) mask[channel(rank)] = rank < count ? 1.0f : 0.0f;
  }

 private:
  std::vector<uint64_t> keys_;
};

}  // namespace ftwt::cpu
