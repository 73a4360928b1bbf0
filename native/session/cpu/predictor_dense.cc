#include "session/cpu/predictor_dense.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

#include "cpu/thread_pool.h"

namespace ftwt::session {
namespace {

constexpr int64_t kColumns = cpu::ScreenedWeights::kColumns;
constexpr int kMostByte = cpu::ScreenedWeights::kMostByte;
constexpr float kRestSteps = 254;
// Steps of the largest feature, and of all features together: less than 2^31 / kMostByte.
constexpr float kMostSteps = 32639;  // 127 * 256 + 127: both halves fit signed bytes
constexpr float kMostStepsSum = 16.5e6f;
// Of features and of weights: the product of two steps is a normal number, and no square that matters underflows.
constexpr float kLeastStep = 1e-17f;
constexpr int64_t kGrain = 1 << 15;  // multiply-adds
constexpr int64_t kTogether = 12;    // samples that a block is screened for at a time
// Weights from which a quarter of the bytes is worth looking at some outputs twice.
constexpr int64_t kManyWeights = 1 << 14;

std::vector<double> column_sums(const Predictor& predictor, int64_t inputs, int64_t outputs) {
  std::vector<double> sums(static_cast<std::size_t>(outputs));
  for (int64_t i = 0; i < inputs; ++i) {
    for (int64_t o = 0; o < outputs; ++o) sums[o] += predictor.weights[i * outputs + o];
  }
  return sums;
}

// Channels of the input that are not active all have one feature: 0, or what softmax makes of 0. Their rows of weights
// are not read: sum over all i: f[i] w[i] = rest * sum over all i: w[i] + sum over active i: (f[i] - rest) w[i].
float rest_of(const Predictor& predictor, cpu::ChannelList active, int64_t inputs, const float* features) {
  if (!predictor.softmax) return 0;
  for (int64_t i = 0; i < inputs; ++i) {
    if (i == active.count || active.index[i] != i) return features[i];
  }
  return 0;
}

class ExactDense final : public PredictorDense {
 public:
  ExactDense(const Predictor& predictor, const ValueLayout& input, int64_t outputs)
      : predictor_(predictor), input_(input), outputs_(outputs) {
    for (double sum : column_sums(predictor, input.shape.c, outputs)) sums_.push_back(static_cast<float>(sum));
  }
  uint64_t weight_bytes() const override { return predictor_.weights.size() * sizeof(float); }

  void run(const State& state, const Rows& rows) const override {
    const auto all = FTWT_KERNEL(dense_columns);
    const auto listed = FTWT_KERNEL(dense_listed);
    const int64_t inputs = input_.shape.c;
    const bool gated = input_.gate >= 0;
    for (int64_t s = 0; gated && s < state.samples; ++s) compact(state, s, rows.features + s * rows.feature_stride);
    const int64_t blocks = (outputs_ + kColumns - 1) / kColumns;  // each read once, for all samples
    cpu::parallel_share(blocks, kGrain / (inputs * kColumns * state.samples) + 1, [&](int64_t begin, int64_t end, int) {
      for (int64_t block = begin; block < end; ++block) {
        const int64_t first = block * kColumns, last = std::min(outputs_, first + kColumns);
        if (!gated) {
          all({predictor_.weights.data(), outputs_, inputs, rows.features, rows.feature_stride, predictor_.bias.data(),
               Activation::Linear, rows.logits, rows.logit_stride},
              state.samples, first, last);
        }
        for (int64_t s = 0; gated && s < state.samples; ++s) {
          const float* features = rows.features + s * rows.feature_stride;
          const cpu::ChannelList active = state.active(input_, s);
          listed(features, active.index, active.count, predictor_.weights.data(), outputs_, predictor_.bias.data(),
                 features[inputs], sums_.data(), first, last, rows.logits + s * rows.logit_stride);
        }
      }
    });
  }

 private:
  // The active channels' features less the rest, which goes behind the last.
  void compact(const State& state, int64_t s, float* features) const {
    const cpu::ChannelList active = state.active(input_, s);
    const float rest = rest_of(predictor_, active, input_.shape.c, features);
    for (int64_t j = 0; j < active.count; ++j) features[j] = features[active.index[j]] - rest;
    features[input_.shape.c] = rest;
  }

  const Predictor& predictor_;
  ValueLayout input_;
  int64_t outputs_;
  std::vector<float> sums_;  // of each column of the weights
};

// Memory bandwidth is what a predictor of many channels costs. Bytes in place of floats tell most signs for certain.
class ScreenedDense final : public PredictorDense {
 public:
  ScreenedDense(const Predictor& predictor, const ValueLayout& input, int64_t outputs)
      : predictor_(predictor),
        input_(input),
        outputs_(outputs),
        blocks_((outputs + kColumns - 1) / kColumns),
        bytes_(static_cast<std::size_t>(blocks_ * input.shape.c * kColumns)),
        quads_(cpu::has_vnni() ? static_cast<std::size_t>(blocks_ * quad_inputs() * kColumns) : 0),
        rest_(static_cast<std::size_t>(outputs * byte_row())),
        rows_(static_cast<std::size_t>(outputs * row())) {
    for (std::vector<float>* column :
         {&scale_, &bias_, &sums_, &absolute_, &error_, &norm_, &rounding_, &rest_error_}) {
      column->assign(static_cast<std::size_t>(blocks_ * kColumns), 0.0f);
    }
    const std::vector<double> sums = column_sums(predictor, input.shape.c, outputs);
    for (int64_t o = 0; o < outputs; ++o) {
      bias_[o] = predictor.bias[o];
      sums_[o] = static_cast<float>(sums[o]);
      pack(o);
    }
  }
  uint64_t weight_bytes() const override {
    return bytes_.size() + quads_.size() + rest_.size() + (rows_.size() + 8 * bias_.size()) * sizeof(float);
  }

  // Of each sample: the list of its active features, their steps, and these spread and split, two to a float. Then what
  // is known of each sample's features.
  int64_t scratch_floats(int64_t samples) const override {
    return samples * (sample_floats() + static_cast<int64_t>(sizeof(cpu::ScreenedFeatures) / sizeof(float)));
  }

  void run(const State& state, const Rows& rows) const override {
    auto* features = reinterpret_cast<cpu::ScreenedFeatures*>(rows.scratch + state.samples * sample_floats());
    const bool split = state.samples > 1 && !quads_.empty() && cpu::has_vnni();
    cpu::parallel_for(state.samples, 4, [&](int64_t begin, int64_t end, int) {
      for (int64_t s = begin; s < end; ++s) {
        float* room = rows.scratch + s * sample_floats();
        features[s] = features_of(state.active(input_, s), all_features(rows, s), split, room);
      }
    });
    const int64_t work = input_.shape.c * kColumns * state.samples;
    // Blocks, each read once for all samples.
    cpu::parallel_share(blocks_, kGrain / work + 1, [&](int64_t begin, int64_t end, int) {
      for (int64_t block = begin; block < end; ++block) {
        for (int64_t s = 0; s < state.samples; s += kTogether) {
          decide(block, features, s, std::min(kTogether, state.samples - s), rows);
        }
      }
    });
    // Integers are denormal numbers to steps that read lanes of no meaning here, and those take Intel's processors a
    // hundred times as long.
    std::fill_n(rows.scratch, scratch_floats(state.samples), 0.0f);
  }

 private:
  int64_t quad_inputs() const { return round_up(input_.shape.c, 4); }
  int64_t row() const { return weight_stride(input_.shape.c); }
  int64_t byte_row() const { return round_up(input_.shape.c, 64); }
  int64_t list_room() const { return round_up(input_.shape.c + 1, 32); }
  int64_t sample_floats() const { return list_room() + list_room() / 2 + byte_row(); }

  static const float* all_features(const Rows& rows, int64_t s) { return rows.features + s * rows.feature_stride; }

  void pack(int64_t o) {
    const int64_t inputs = input_.shape.c;
    const auto weight = [&](int64_t i) { return predictor_.weights[i * outputs_ + o]; };
    float largest = 0;
    bool finite = true;
    for (int64_t i = 0; i < inputs; ++i) {
      finite = finite && std::isfinite(weight(i));
      rows_[o * row() + i] = weight(i);
      largest = std::max(largest, std::fabs(weight(i)));
    }
    const float scale = largest / kMostByte, rest_scale = scale / kRestSteps;
    if (!finite || (scale > 0 && scale < kLeastStep)) {  // no bound holds, so nothing is decided by bytes
      error_[o] = norm_[o] = rest_error_[o] = std::numeric_limits<float>::quiet_NaN();
      return;
    }
    double error = 0, squares = 0, rest_error = 0, absolute = 0;
    for (int64_t i = 0; i < inputs; ++i) {
      const float byte = scale > 0 ? std::nearbyint(weight(i) / scale) : 0.0f;
      const int64_t block = o / kColumns, column = o % kColumns;
      bytes_[(block * inputs + i) * kColumns + column] = static_cast<int8_t>(byte);
      if (!quads_.empty()) {
        quads_[block * quad_inputs() * kColumns + (i / 4 * kColumns + column) * 4 + i % 4] =
            static_cast<uint8_t>(static_cast<int>(byte) + 128);
      }
      const double rest = static_cast<double>(weight(i)) - static_cast<double>(scale) * byte;
      error = std::max(error, std::fabs(rest));
      squares += rest * rest;
      const double rest_byte =
          rest_scale > 0 ? std::clamp<double>(std::nearbyint(rest / rest_scale), -kMostByte, kMostByte) : 0.0;
      rest_[o * byte_row() + i] = static_cast<int8_t>(rest_byte);
      // What half a step of the feature is multiplied with: the weight, or what bytes make of it.
      const double rounded = static_cast<double>(scale) * byte;
      absolute += std::max(
          {std::fabs(static_cast<double>(weight(i))), std::fabs(rounded), std::fabs(rounded + rest_scale * rest_byte)});
      rest_error = std::max(rest_error, std::fabs(rest - rest_scale * rest_byte));
    }
    scale_[o] = scale;
    absolute_[o] = static_cast<float>(absolute * 1.001);
    error_[o] = static_cast<float>(error * 1.001);
    norm_[o] = static_cast<float>(std::sqrt(squares) * 1.001);
    rest_error_[o] = static_cast<float>(rest_error * 1.001);
    // What dot() rounds: 2^-24 of the sum at most with each addition to one of its 16 or more sums, and with those of
    // these.
    rounding_[o] = largest * static_cast<float>(inputs / 16 + 24) * 2 * 5.97e-8f;
  }

  cpu::ScreenedFeatures features_of(cpu::ChannelList active, const float* all, bool split, float* room) const {
    auto* list = reinterpret_cast<int32_t*>(room);
    auto* steps = reinterpret_cast<int16_t*>(list + list_room());
    int16_t* spread = steps + list_room();
    auto* high = split ? reinterpret_cast<int8_t*>(spread + byte_row()) : nullptr;
    int8_t* low = split ? high + byte_row() : nullptr;
    const float rest = rest_of(predictor_, active, input_.shape.c, all);
    const cpu::FeatureSums sums = FTWT_KERNEL(sum_features)(all, input_.shape.c, rest);
    const float step = std::max(sums.largest / kMostSteps, sums.absolute / kMostStepsSum);
    // Where a feature is not finite or all are too small, the bounds leave every output undecided.
    const bool countable = std::isfinite(sums.absolute) && step >= kLeastStep;
    if (countable) {
      FTWT_KERNEL(count_steps)(all, input_.shape.c, rest, 1 / step, spread);
    } else {
      std::fill_n(spread, byte_row(), int16_t{0});
    }
    int64_t count = 0;
    if (!split && countable) {
      for (; count < active.count; ++count) {
        list[count] = active.index[count];
        steps[count] = spread[list[count]];
      }
      if (count % 2 != 0) {
        list[count] = list[count - 1];
        steps[count++] = 0;
      }
    }
    const int32_t sum = split ? FTWT_KERNEL(split_steps)(spread, byte_row(), high, low) : 0;
    const bool bounded = countable || sums.absolute == 0;
    return {.steps = steps,
            .list = list,
            .count = count,
            .spread = spread,
            .high = high,
            .low = low,
            .sum = sum,
            .step = step,
            .rest = rest,
            .sum_x = sums.absolute * 1.001f,
            .norm_x = std::sqrt(sums.squares) * 1.001f,
            .sum_all = bounded ? sums.all * 1.001f : std::numeric_limits<float>::quiet_NaN()};
  }

  // By one byte of each weight, by two, or by the weights themselves.
  void decide(int64_t block, const cpu::ScreenedFeatures* features, int64_t first, int64_t samples,
              const Rows& rows) const {
    const cpu::ScreenedWeights weights = {input_.shape.c, bytes_.data(),   quads_.data(),    scale_.data(),
                                          bias_.data(),   sums_.data(),    absolute_.data(), error_.data(),
                                          norm_.data(),   rounding_.data()};
    float* logits = rows.logits + first * rows.logit_stride + block * kColumns;
    uint64_t undecided[kTogether];
    FTWT_KERNEL(screen_block)
    (weights, block, features + first, samples, first > 0, logits, rows.logit_stride, undecided);
    const int64_t outputs = std::min(kColumns, outputs_ - block * kColumns);
    const uint64_t exist = ~uint64_t{0} >> (kColumns - outputs);
    for (int64_t s = 0; s < samples; ++s) {
      look_again(block, undecided[s] & exist, features[first + s], all_features(rows, first + s),
                 logits + s * rows.logit_stride);
    }
  }

  void look_again(int64_t block, uint64_t undecided, const cpu::ScreenedFeatures& features, const float* all,
                  float* y) const {
    const auto dot = FTWT_KERNEL(dot);
    const int8_t* rows[kColumns];
    int32_t rests[kColumns];
    int64_t count = 0;
    // Rows of undecided outputs lie anywhere: all are asked for before the first is read.
    for (uint64_t left = undecided; left != 0; left &= left - 1) {
      const int8_t* row = rest_.data() + (block * kColumns + std::countr_zero(left)) * byte_row();
      for (int64_t byte = 0; byte < byte_row(); byte += 64) __builtin_prefetch(row + byte);
      rows[count++] = row;
    }
    FTWT_KERNEL(rest_products)(features, rows, count, byte_row(), rests);
    const int32_t* rest = rests;
    for (uint64_t left = undecided; left != 0; left &= left - 1) {
      const int64_t i = std::countr_zero(left);
      const int64_t o = block * kColumns + i;
      y[i] += scale_[o] / kRestSteps * features.step * static_cast<float>(*rest++);
      const float rest_bound = rest_error_[o] * features.sum_x +
                               cpu::ScreenedFeatures::kHalfStep * features.step * absolute_[o] +
                               rounding_[o] * features.sum_all + 1e-6f * std::fabs(bias_[o]);
      if (std::fabs(y[i]) > rest_bound) continue;
      y[i] = bias_[o] + dot(all, rows_.data() + o * row(), input_.shape.c);
    }
  }

  const Predictor& predictor_;
  ValueLayout input_;
  int64_t outputs_, blocks_;
  std::vector<int8_t, cpu::BlockAllocator<int8_t>> bytes_;    // [blocks, inputs, kColumns], for one image
  std::vector<uint8_t, cpu::BlockAllocator<uint8_t>> quads_;  // [blocks, inputs / 4, kColumns, 4], for several
  // What bytes_ leaves of the weights, in steps of scale / kRestSteps.
  std::vector<int8_t, cpu::BlockAllocator<int8_t>> rest_;  // [outputs, byte_row()]
  cpu::Floats rows_;                                       // [outputs, row()]
  std::vector<float> scale_, bias_, sums_, absolute_, error_, norm_, rounding_, rest_error_;
};

}  // namespace

std::unique_ptr<PredictorDense> make_predictor_dense(const Predictor& predictor, const ValueLayout& input,
                                                     int64_t outputs) {
  if (input.shape.c * outputs >= kManyWeights && outputs >= kColumns) {
    return std::make_unique<ScreenedDense>(predictor, input, outputs);
  }
  return std::make_unique<ExactDense>(predictor, input, outputs);
}

}  // namespace ftwt::session
