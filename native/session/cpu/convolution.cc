#include "session/cpu/convolution.h"

#include <algorithm>

#include "cpu/cache.h"
#include "cpu/thread_pool.h"
#include "session/cpu/direct.h"
#include "session/cpu/dots.h"
#include "session/cpu/planewise.h"
#include "session/cpu/strips.h"
#include "session/cpu/winograd.h"
#include "session/cpu/winograd_points.h"

namespace ftwt::session {
namespace {

// The channels that a thread's block should have.
constexpr int64_t kSharedRows = 32;
// Packed or transformed samples of a group.
constexpr int64_t kGroupFloats = 1 << 20;
// Images up to this many pixels may be gathered, or have the points of their tiles in vectors.
constexpr int64_t kFewPixels = 64;

}  // namespace

const char* variant_name(ConvVariant variant) {
  switch (variant) {
    case ConvVariant::InPlace: return "1x1 in place";
    case ConvVariant::Shifted: return "shifted planes";
    case ConvVariant::Strips: return "strips of rows";
    case ConvVariant::Gathered: return "gathered pixels";
    case ConvVariant::Dots: return "dot products";
    case ConvVariant::Winograd2: return "winograd 2x2";
    case ConvVariant::Winograd4: return "winograd 4x4";
    case ConvVariant::WinogradPoints: return "winograd points";
  }
  return "";
}

std::vector<ConvVariant> possible_variants(const Convolution& c) {
  const Node& node = *c.node;
  const bool unit_stride = node.stride_h == 1 && node.stride_w == 1;
  const bool same_pixels = c.input.shape.h == c.output.shape.h && c.input.shape.w == c.output.shape.w &&
                           node.pad_top == 0 && node.pad_left == 0;
  std::vector<ConvVariant> variants;
  if (c.taps() == 1 && unit_stride && same_pixels) {
    variants.push_back(ConvVariant::InPlace);
  } else {
    variants.push_back(ConvVariant::Shifted);
    if (fits_strips(c)) variants.push_back(ConvVariant::Strips);
  }
  if (c.output.shape.pixels() <= kFewPixels) variants.push_back(ConvVariant::Gathered);
  if (c.output.shape.pixels() <= kDotPixels) variants.push_back(ConvVariant::Dots);
  if (node.kh == 3 && node.kw == 3 && unit_stride && node.dilation_h == 1 && node.dilation_w == 1) {
    variants.push_back(ConvVariant::Winograd2);
    variants.push_back(ConvVariant::Winograd4);
    if (c.output.shape.pixels() > kDotPixels && c.output.shape.pixels() <= kFewPixels) {
      variants.push_back(ConvVariant::WinogradPoints);
    }
  }
  return variants;
}

std::unique_ptr<Step> make_convolution(const Convolution& convolution, ConvVariant variant) {
  switch (variant) {
    case ConvVariant::InPlace: return make_in_place(convolution);
    case ConvVariant::Shifted: return make_shifted(convolution);
    case ConvVariant::Strips: return make_strips(convolution);
    case ConvVariant::Gathered: return make_gathered(convolution);
    case ConvVariant::Dots: return make_dots(convolution);
    case ConvVariant::Winograd2: return make_winograd(convolution, 2);
    case ConvVariant::Winograd4: return make_winograd(convolution, 4);
    case ConvVariant::WinogradPoints: return make_winograd_points(convolution);
  }
  return nullptr;
}

RowBlocks::RowBlocks(const State& state, const Convolution& convolution, int64_t bytes_per_row, int64_t largest,
                     int64_t each)
    : state_(state), convolution_(convolution) {
  const int64_t rows = convolution.output.shape.c;
  // One sample reads its weights once in any case.
  const int64_t most =
      state.samples == 1 || convolution.joins_samples()
          ? largest
          : std::clamp<int64_t>(cpu::half_second_level_bytes() / std::max<int64_t>(1, bytes_per_row), 8, largest);
  // So many blocks that threads can share them out, but not so small that their pixels are not worth the way.
  const int64_t threads = cpu::thread_count();
  const int64_t shared = threads == 1 ? 1 : std::clamp(rows / kSharedRows, threads, threads * each);
  const int64_t blocks = std::max(shared, round_up((rows + most - 1) / most, threads));
  count_ = std::clamp<int64_t>(blocks, 1, std::max<int64_t>(1, rows));
}

cpu::ChannelList RowBlocks::rows(int64_t i, int64_t s) const {
  const int64_t channels = convolution_.output.shape.c;
  const cpu::ChannelList all = state_.active(convolution_.gate, s, channels);
  if (takes_panels(convolution_)) {
    const int64_t multiples = channels / cpu::PlaneGemm::kPanelMultiple;
    const int64_t begin = multiples * i / count_ * cpu::PlaneGemm::kPanelMultiple;
    const int64_t end = multiples * (i + 1) / count_ * cpu::PlaneGemm::kPanelMultiple;
    return {all.index + begin, end - begin};
  }
  if (convolution_.gate < 0 || state_.samples == 1) {
    const int64_t begin = all.count * i / count_;
    return {all.index + begin, all.count * (i + 1) / count_ - begin};
  }
  const auto first = std::lower_bound(all.index, all.index + all.count, channels * i / count_);
  const auto last = std::lower_bound(first, all.index + all.count, channels * (i + 1) / count_);
  return {first, last - first};
}

int64_t RowBlocks::begin(int64_t i, int64_t s) const {
  const int64_t count = state_.active(convolution_.gate, s, convolution_.output.shape.c).count;
  if (i == count_) return count;
  return count * i / count_ / cpu::PlaneGemm::kPanelMultiple * cpu::PlaneGemm::kPanelMultiple;
}

void fill_inactive(const State& state, const Convolution& c) {
  if (c.gate < 0 || !c.output.whole || c.residual_stays) return;
  if (!c.residual) return zero_other_planes(state, c.gate, c.output);
  const auto add = FTWT_KERNEL(plane_add);
  for_every_plane(state, c.output, c.gate, [&](int64_t s, int64_t channel, bool computed) {
    if (computed) return;
    add(state.sample(*c.residual, s) + channel * c.residual->plane, nullptr, c.output.shape.pixels(),
        c.node->activation, state.sample(c.output, s) + channel * c.output.plane);
  });
}

int64_t group_size(int64_t samples, int64_t floats) {
  return std::clamp<int64_t>(kGroupFloats / std::max<int64_t>(1, floats), 1, samples);
}

std::vector<int32_t> window_pixels(const cpu::PlaneWindow& w) {
  std::vector<int32_t> pixels;
  for (int64_t ky = 0; ky < w.kh; ++ky) {
    for (int64_t kx = 0; kx < w.kw; ++kx) {
      for (int64_t y = 0; y < w.out_h; ++y) {
        for (int64_t x = 0; x < w.out_w; ++x) {
          const int64_t i = y * w.stride_h + ky * w.dilation_h - w.pad_top;
          const int64_t j = x * w.stride_w + kx * w.dilation_w - w.pad_left;
          pixels.push_back(i < 0 || j < 0 || i >= w.h || j >= w.w ? -1 : static_cast<int32_t>(i * w.w + j));
        }
      }
    }
  }
  return pixels;
}

bool lies_flat(const Convolution& c) {
  const int64_t width = c.output.shape.w;
  return 10 * width <= 7 * round_up(width, FTWT_KERNEL(vector_lanes)());
}

bool takes_panels(const Convolution& c) {
  return c.joins_samples() && c.output.shape.c % cpu::PlaneGemm::kPanelMultiple == 0 &&
         c.taps() <= cpu::PlaneGemm::kMostPanelTaps;
}

int64_t panel_rows(const Convolution& c) { return takes_panels(c) ? FTWT_KERNEL(panel_rows)() : 1; }

cpu::Floats weights_by_output(const Node& node, int64_t inputs, int64_t panel_rows, int64_t behind) {
  const int64_t taps = node.kh * node.kw;
  const int64_t outputs = node.out.c;
  const int64_t stride = panel_rows > 1 ? taps * inputs : weight_stride(taps * inputs);
  cpu::Floats packed(static_cast<std::size_t>(stride * outputs + behind));
  for (int64_t t = 0; t < taps; ++t) {
    for (int64_t i = 0; i < inputs; ++i) {
      for (int64_t o = 0; o < outputs; ++o) {
        packed[(o / panel_rows * stride + i * taps + t) * panel_rows + o % panel_rows] =
            node.weights[(t * inputs + i) * outputs + o];
      }
    }
  }
  return packed;
}

}  // namespace ftwt::session
