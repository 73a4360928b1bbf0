#include "session/cpu/tuning.h"

#include <algorithm>
#include <array>
#include <bit>
#include <chrono>
#include <map>
#include <mutex>
#include <numeric>

#include "cpu/dispatch.h"
#include "cpu/scratch.h"
#include "cpu/shared_pages.h"
#include "cpu/thread_pool.h"
#include "session/cpu/samples.h"

namespace ftwt::session {
namespace {

ConvVariant by_rule(const Convolution& c, const std::vector<ConvVariant>& variants) {
  const int64_t pixels = c.output.shape.pixels();
  const auto has = [&](ConvVariant v) { return std::find(variants.begin(), variants.end(), v) != variants.end(); };
  const bool many_channels = c.input.shape.c >= 16 && c.output.shape.c >= 16;
  if (has(ConvVariant::Winograd4) && many_channels && pixels >= 144) return ConvVariant::Winograd4;
  if (has(ConvVariant::Winograd2) && many_channels && pixels >= 25) return ConvVariant::Winograd2;
  if (has(ConvVariant::Dots)) return ConvVariant::Dots;
  if (has(ConvVariant::Gathered) && pixels <= 16) return ConvVariant::Gathered;
  return variants.front();
}

// What decides how fast a variant is, beside the variant.
using Key = std::array<int64_t, 24>;

Key key_of(const Convolution& c, int64_t max_samples, const Section& section, int64_t traffic) {
  const Node& n = *c.node;
  return {static_cast<int64_t>(cpu::current_isa()),
          cpu::thread_count(),
          max_samples,
          section.samples,
          section.shared,
          c.input.shape.h,
          c.input.shape.w,
          c.input.shape.c,
          c.output.shape.h,
          c.output.shape.w,
          c.output.shape.c,
          n.kh,
          n.kw,
          n.stride_h,
          n.stride_w,
          n.dilation_h,
          n.dilation_w,
          n.pad_top,
          n.pad_left,
          c.input.gate >= 0,
          c.gate >= 0,
          c.residual.has_value() + c.residual_stays,
          static_cast<int64_t>(n.activation),
          static_cast<int64_t>(std::bit_width(static_cast<uint64_t>(traffic)))};
}

// Of working memory, that is in the caches whatever ran before, in floats.
constexpr int64_t kSharedScratch = 1 << 20;
constexpr int64_t kThreadScratch = 32 * 1024;
// More weights than any last-level cache keeps for one process.
constexpr int64_t kMostTraffic = 12 << 20;
// Fewer pass through the second-level cache and leave the last level as it was.
constexpr int64_t kLeastTraffic = 128 * 1024;

void read_lines_here(const float* from, int64_t floats) {
  float sum = 0;
  for (int64_t i = 0; i < floats; i += 16) sum += from[i];
  volatile float keep = sum;
  static_cast<void>(keep);
}

void read_lines(const float* from, int64_t floats) {
  cpu::parallel_for(floats, 4096, [&](int64_t begin, int64_t end, int) { read_lines_here(from + begin, end - begin); });
}

// Floats before and behind a value, as a network has them.
constexpr int64_t kSlack = 256;

// A convolution with working memory of its own, apart from the network's.
class Trial {
 public:
  Trial(const Convolution& convolution, int64_t max_samples, const Section& section)
      : c_(convolution),
        max_samples_(max_samples),
        together_(section.samples),
        memory_{section.shared ? 1 : cpu::thread_count(), 0, 0} {
    const bool in_place = c_.residual && c_.residual->lies_where(c_.output);
    int64_t end = kSlack;
    for (ValueLayout* value : {&c_.input, &c_.output, c_.residual ? &*c_.residual : nullptr}) {
      if (value == nullptr) continue;
      value->offset = end;
      value->local = false;
      end += value->sample * max_samples + kSlack;
    }
    if (in_place) c_.residual->offset = c_.output.offset;
    values_.assign(static_cast<std::size_t>(end), 0.25f);
    // Gated channels: 11 of 20, spread.
    const int64_t most = std::max(c_.input.shape.c, c_.output.shape.c);
    all_.resize(static_cast<std::size_t>(most));
    std::iota(all_.begin(), all_.end(), 0);
    if (c_.input.gate >= 0) c_.input.gate = add_gate(c_.input.shape.c);
    if (c_.gate >= 0) c_.gate = add_gate(c_.output.shape.c);
  }

  const Convolution& convolution() const { return c_; }

  double seconds(const Step& step, int64_t samples) {
    State state;
    state.values = values_.data();
    state.scratch = scratch_.data();
    state.lists = lists_.data();
    state.counts = counts_.data();
    state.all = all_.data();
    state.max_samples = max_samples_;
    state.samples = samples;
    state.gates = &gates_;
    const auto start = std::chrono::steady_clock::now();
    for_samples(state, together_, memory_, [&](const State& some, int) { step.run(some); });
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  }

  void reserve(const Step& step) {
    memory_.scratch = std::max(memory_.scratch, round_up(step.scratch_floats(together_), 16));
    scratch_.resize(static_cast<std::size_t>(memory_.scratch * memory_.threads));
  }

  // Working memory is used by every layer: what other layers leave in the caches is this.
  void touch(int64_t samples) {
    for (const ValueLayout* value : {&c_.input, &c_.output, c_.residual ? &*c_.residual : nullptr}) {
      if (value != nullptr) read_lines(values_.data() + value->offset, value->sample * samples);
    }
    read_lines(scratch_.data(), std::min<int64_t>(static_cast<int64_t>(scratch_.size()), kSharedScratch));
    cpu::parallel_for(cpu::thread_count(), 1, [&](int64_t, int64_t, int) {
      for (const cpu::Scratch slot : {cpu::Scratch::Gemm, cpu::Scratch::Columns, cpu::Scratch::Gather}) {
        read_lines_here(cpu::thread_floats(slot, kThreadScratch), kThreadScratch);
      }
    });
  }

 private:
  int32_t add_gate(int64_t channels) {
    const auto offset = static_cast<int64_t>(lists_.size());
    gates_.push_back({channels, 0, offset});
    for (int64_t s = 0; s < max_samples_; ++s) {
      const std::size_t begin = lists_.size();
      int32_t count = 0;
      for (int64_t i = 0; i < channels; ++i) {
        if ((i * 7 + s * 3) % 20 < 11) {
          lists_.push_back(static_cast<int32_t>(i));
          ++count;
        }
      }
      lists_.resize(begin + static_cast<std::size_t>(channels));
      counts_.push_back(count);
    }
    return static_cast<int32_t>(gates_.size()) - 1;
  }

  Convolution c_;
  int64_t max_samples_, together_;
  ThreadMemory memory_;
  cpu::Floats values_, scratch_;
  std::vector<int32_t> lists_, counts_, all_;
  std::vector<Gate> gates_;
};

// Rounds by turns, so that what else the machine does meets all alike: many of short runs, whose least times need them.
constexpr int kMostRounds = 40;
constexpr int kRounds = 9;
constexpr int kFewRounds = 3;
constexpr double kShortSeconds = 12e-3;  // of all that rounds do
constexpr double kLongSeconds = 15e-3;   // of the runs that are timed
// A variant that is so much slower than the best so far takes no further turn, after a few; or after one that took
// longer than a thread that the system has stopped explains.
constexpr double kHopeless = 1.6;
constexpr double kStoppedSeconds = 8e-3;

}  // namespace

Tuner::Tuner(const CpuOptions& options, int64_t max_samples, int64_t weights)
    : options_(options), max_samples_(max_samples), traffic_(std::min(weights, kMostTraffic)) {
  if (traffic_ < kLeastTraffic) traffic_ = 0;
}

void Tuner::pass_through_caches() {
  if (traffic_ == 0) return;
  if (weights_.empty()) weights_.assign(static_cast<std::size_t>(traffic_), 0.0f);
  read_lines(weights_.data(), traffic_);
}

// One image and a full batch count alike: the sum of both least times, each relative to the best variant's. Between two
// runs the network reads its other weights: a convolution finds its own where these leave them.
ConvVariant Tuner::measure(const Convolution& c, const Section& section, const std::vector<ConvVariant>& variants) {
  const cpu::SharedPages pages(cpu::kHugePage);  // as the session has, but not the session's
  Trial trial(c, max_samples_, section);
  std::vector<std::unique_ptr<Step>> steps;
  for (ConvVariant variant : variants) {
    steps.push_back(make_convolution(trial.convolution(), variant));
    trial.reserve(*steps.back());
  }
  std::vector<double> scores(variants.size(), 0);
  for (int64_t samples = 1; samples <= max_samples_; samples += std::max<int64_t>(1, max_samples_ - 1)) {
    std::vector<double> least(variants.size(), 1e30);
    double best = 1e30, total = 0;
    for (const auto& step : steps) trial.seconds(*step, samples);  // brings pages in
    const auto start = std::chrono::steady_clock::now();
    const auto goes_on = [&](int round) {
      if (round < kFewRounds) return true;
      if (round < kRounds) return total < kLongSeconds;
      const std::chrono::duration<double> passed = std::chrono::steady_clock::now() - start;
      return round < kMostRounds && passed.count() < kShortSeconds;
    };
    for (int round = 0; goes_on(round); ++round) {
      for (std::size_t i = 0; i < steps.size(); ++i) {
        const bool judged = round >= kFewRounds || (round > 0 && least[i] > kStoppedSeconds);
        if (judged && least[i] > kHopeless * best) continue;
        pass_through_caches();
        trial.touch(samples);
        const double seconds = trial.seconds(*steps[i], samples);
        least[i] = std::min(least[i], seconds);
        best = std::min(best, seconds);
        total += seconds;
      }
    }
    for (std::size_t i = 0; i < steps.size(); ++i) scores[i] += least[i] / best;
  }
  return variants[std::min_element(scores.begin(), scores.end()) - scores.begin()];
}

std::unique_ptr<Step> Tuner::choose(const Convolution& c, const Section& section) {
  const std::vector<ConvVariant> variants = possible_variants(c);
  for (ConvVariant variant : variants) {
    if (options_.variant == variant_name(variant)) return make_convolution(c, variant);
  }
  if (!options_.measure || variants.size() == 1) return make_convolution(c, by_rule(c, variants));
  static std::mutex mutex;
  static std::map<Key, ConvVariant> known;
  const Key key = key_of(c, max_samples_, section, traffic_);
  const std::lock_guard<std::mutex> lock(mutex);
  const auto found = known.find(key);
  const ConvVariant variant = found != known.end() ? found->second : known[key] = measure(c, section, variants);
  return make_convolution(c, variant);
}

}  // namespace ftwt::session
