// Each run of samples with the same active channels is a dense convolution of its own: active channels of x are
// gathered into [pixels, active], the active part of the filter is packed, and the product is scattered into y. Runs
// are shared out to the threads where there are enough of them; else the threads work together inside each run.
//
// Packing a filter for every run pays only where it serves enough pixels. Else the batch runs dense, with masked
// channels set to zero.
#include "ops/channel_sparse_conv2d.h"

#include <algorithm>
#include <atomic>
#include <utility>

#include "cpu/active_channels.h"
#include "cpu/conv2d_windows.h"
#include "cpu/gemm/gemm.h"
#include "cpu/scratch.h"
#include "cpu/thread_pool.h"

FTWT_DECLARE_KERNEL(void gather_channels(const float* x, int64_t pixels, int64_t c, const int32_t* list, int64_t count,
                                         float* compact);
                    void mask_channels(const float* x, int64_t pixels, int64_t c, const float* mask, float* y);
                    void scatter_channels(const float* compact, int64_t pixels, int64_t c, const int32_t* list,
                                          int64_t count, float* x))

namespace ftwt::cpu {
namespace {

// Pixels that one thread gathers or scatters at least.
constexpr int64_t kPixelGrain = 256;

// Elements of a filter that one thread sums at least.
constexpr int64_t kSumGrain = 1 << 14;

// The steps of a run, by the pool or, inside a parallel region, by the calling thread alone.
class Steps {
 public:
  explicit Steps(bool on_pool) : on_pool_(on_pool) {}

  const float* pack(const PackParams& params) const {
    float* packed = thread_floats(Scratch::Panels, packed_floats(params));
    on_pool_ ? pack_panels(params, packed) : pack_panels_serial(params, packed);
    return packed;
  }

  void gemm(const IndirectGemm& gemm) const {
    if (on_pool_) return run_gemm(gemm);
    run_gemm_range(gemm, 0, gemm.window.pixels(), 0, panel_layout(gemm.columns).panels);
  }

  void outer(const OuterGemm& gemm, const OuterResult& result) const {
    on_pool_ ? run_outer_gemm(gemm, result) : run_outer_gemm_serial(gemm, result);
  }

  void gather(const float* x, int64_t pixels, int64_t c, std::span<const int32_t> list, float* compact) const {
    const auto count = static_cast<int64_t>(list.size());
    over_pixels(pixels, [&](int64_t begin, int64_t end, int) {
      FTWT_KERNEL(gather_channels)(x + begin * c, end - begin, c, list.data(), count, compact + begin * count);
    });
  }

  void scatter(const float* compact, int64_t pixels, int64_t c, std::span<const int32_t> list, float* x) const {
    const auto count = static_cast<int64_t>(list.size());
    over_pixels(pixels, [&](int64_t begin, int64_t end, int) {
      FTWT_KERNEL(scatter_channels)(compact + begin * count, end - begin, c, list.data(), count, x + begin * c);
    });
  }

 private:
  template <typename Body>
  void over_pixels(int64_t pixels, const Body& body) const {
    on_pool_ ? parallel_for(pixels, kPixelGrain, body) : body(0, pixels, 0);
  }

  bool on_pool_;
};

// Activations of one run: in place where all channels are active, else compact in `room`.
struct Compact {
  int64_t pixels;
  int64_t c;
  std::span<const int32_t> list;

  bool in_place() const { return static_cast<int64_t>(list.size()) == c; }
  std::size_t floats() const { return in_place() ? 0 : static_cast<std::size_t>(pixels) * list.size(); }
  const int32_t* index() const { return in_place() ? nullptr : list.data(); }
};

// One run: the shape of its dense convolution over active channels.
struct Run {
  Conv2dShape shape;
  Compact x, y;
  int64_t x_offset, y_offset;  // of its first sample, in floats

  Run(const Conv2dShape& whole, const SampleRun& samples) : shape(whole) {
    shape.n = samples.count;
    shape.c_in = static_cast<int64_t>(samples.in.size());
    shape.c_out = static_cast<int64_t>(samples.out.size());
    x = {samples.count * whole.h * whole.w, whole.c_in, samples.in};
    y = {samples.count * whole.out_h * whole.out_w, whole.c_out, samples.out};
    x_offset = samples.first * whole.h * whole.w * whole.c_in;
    y_offset = samples.first * whole.out_h * whole.out_w * whole.c_out;
  }
  bool empty() const { return shape.c_in == 0 || shape.c_out == 0; }
};

const float* compacted(const Compact& part, const float* whole, float* room, const Steps& steps) {
  if (part.in_place()) return whole;
  steps.gather(whole, part.pixels, part.c, part.list, room);
  return room;
}

void forward(const ChannelSparseConv2dParams& p, const Run& run, const Steps& steps) {
  const Conv2dShape& s = run.shape;
  float* y = p.y + run.y_offset;
  if (run.empty()) {
    std::fill_n(y, run.y.pixels * run.y.c, 0.0f);
    return;
  }
  float* room = thread_floats(Scratch::Gather, run.x.floats() + run.y.floats());
  const float* source = compacted(run.x, p.x + run.x_offset, room, steps);
  float* target = run.y.in_place() ? y : room + run.x.floats();
  const Taps taps = forward_taps(s);
  const float* panels = steps.pack({.filter = p.filter,
                                    .taps = taps.size(),
                                    .depth = s.c_in,
                                    .columns = s.c_out,
                                    .tap_stride = run.x.c * run.y.c,
                                    .row_stride = run.y.c,
                                    .column_stride = 1,
                                    .row_list = run.x.index(),
                                    .column_list = run.y.index()});
  steps.gemm({.window = input_window(s, source, taps),
              .panels = panels,
              .columns = s.c_out,
              .output = output_rows(s, target)});
  if (!run.y.in_place()) steps.scatter(target, run.y.pixels, run.y.c, run.y.list, y);
}

void backprop_input(const ChannelSparseConv2dBackpropInputParams& p, const Run& run, const Steps& steps) {
  const Conv2dShape& s = run.shape;
  float* dx = p.dx + run.x_offset;
  if (run.empty()) {
    std::fill_n(dx, run.x.pixels * run.x.c, 0.0f);
    return;
  }
  float* room = thread_floats(Scratch::Gather, run.y.floats() + run.x.floats());
  const float* source = compacted(run.y, p.dy + run.y_offset, room, steps);
  float* target = run.x.in_place() ? dx : room + run.y.floats();
  for (const InputClass& at : input_classes(s)) {
    const Taps taps = backward_taps(s, at);
    const float* panels = steps.pack({.filter = p.filter,
                                      .taps = taps.size(),
                                      .depth = s.c_out,
                                      .columns = s.c_in,
                                      .tap_stride = run.x.c * run.y.c,
                                      .row_stride = 1,
                                      .column_stride = run.y.c,
                                      .tap_list = taps.index.data(),
                                      .row_list = run.y.index(),
                                      .column_list = run.x.index()});
    steps.gemm({.window = gradient_window(s, source, at, taps),
                .panels = panels,
                .columns = s.c_in,
                .output = class_rows(s, target, at)});
  }
  if (!run.x.in_place()) steps.scatter(target, run.x.pixels, run.x.c, run.x.list, dx);
}

// Adds the gradient of one run to `sum` [kh, kw, c_in, c_out].
void add_backprop_filter(const ChannelSparseConv2dBackpropFilterParams& p, const Run& run, const Steps& steps,
                         float* sum) {
  if (run.empty()) return;
  const Conv2dShape& s = run.shape;
  const Taps taps = forward_taps(s);
  const auto result_floats = static_cast<std::size_t>(taps.size() * s.c_in * s.c_out);
  float* room = thread_floats(Scratch::Gather, run.x.floats() + run.y.floats() + result_floats);
  const float* x = compacted(run.x, p.x + run.x_offset, room, steps);
  const float* dy = compacted(run.y, p.dy + run.y_offset, room + run.x.floats(), steps);
  float* result = room + run.x.floats() + run.y.floats();
  steps.outer({.window = input_window(s, x, taps), .dy = output_rows(s, dy), .columns = s.c_out}, {.data = result});
  for (int64_t tap = 0; tap < taps.size(); ++tap) {
    for (int32_t channel : run.x.list) {
      float* row = sum + (tap * run.x.c + channel) * run.y.c;
      if (run.y.in_place()) {
        for (int64_t i = 0; i < s.c_out; ++i) row[i] += result[i];
      } else {
        for (int64_t i = 0; i < s.c_out; ++i) row[run.y.list[i]] += result[i];
      }
      result += s.c_out;
    }
  }
}

// y [n, pixels, c] = x where the mask [n, c] is above 0, else 0. x may be y.
void mask_samples(const float* x, const float* mask, int64_t n, int64_t pixels, int64_t c, float* y) {
  parallel_for(n, kPixelGrain / std::max<int64_t>(1, pixels) + 1, [&](int64_t begin, int64_t end, int) {
    for (int64_t sample = begin; sample < end; ++sample) {
      FTWT_KERNEL(mask_channels)(x + sample * pixels * c, pixels, c, mask + sample * c, y + sample * pixels * c);
    }
  });
}

// x or dy without masked channels, for a dense convolution: itself, or a copy in `room`.
const float* masked_input(const Conv2dShape& s, const ChannelMasks& masks, const SparsePlan& plan, const float* x,
                          float* room) {
  if (plan.all_inputs) return x;
  mask_samples(x, masks.input, s.n, s.h * s.w, s.c_in, room);
  return room;
}

const float* masked_output(const Conv2dShape& s, const ChannelMasks& masks, const SparsePlan& plan, const float* dy,
                           float* room) {
  if (plan.all_outputs) return dy;
  mask_samples(dy, masks.output, s.n, s.out_h * s.out_w, s.c_out, room);
  return room;
}

std::size_t input_floats(const Conv2dShape& s) { return static_cast<std::size_t>(s.n * s.h * s.w * s.c_in); }
std::size_t output_floats(const Conv2dShape& s) { return static_cast<std::size_t>(s.n * s.out_h * s.out_w * s.c_out); }

template <typename Params, typename Body>
void for_each_run(const Params& p, const SparsePlan& plan, const Body& body) {
  const auto range = [&](int64_t begin, int64_t end, int) {
    const Steps steps(!plan.by_runs);
    for (int64_t i = begin; i < end; ++i) body(p, Run(p.shape, plan.runs[i]), steps);
  };
  plan.by_runs ? parallel_for(plan.run_count(), 1, range) : range(0, plan.run_count(), 0);
}

void sum_backprop_filter(const ChannelSparseConv2dBackpropFilterParams& p, const SparsePlan& plan) {
  const int64_t size = p.shape.kh * p.shape.kw * p.shape.c_in * p.shape.c_out;
  std::fill_n(p.d_filter, size, 0.0f);
  if (!plan.by_runs) {
    for (const SampleRun& samples : plan.runs) add_backprop_filter(p, Run(p.shape, samples), Steps(true), p.d_filter);
    return;
  }
  // Every thread has a sum of its own, the first one d_filter itself; they are added in the threads' order.
  float* sums = thread_floats(Scratch::FilterSums, static_cast<std::size_t>(size * (thread_count() - 1)));
  std::atomic<int64_t> parts{0};
  parallel_for(plan.run_count(), 1, [&](int64_t begin, int64_t end, int thread) {
    float* sum = thread == 0 ? p.d_filter : sums + (thread - 1) * size;
    if (thread > 0) std::fill_n(sum, size, 0.0f);
    for (int64_t i = begin; i < end; ++i) add_backprop_filter(p, Run(p.shape, plan.runs[i]), Steps(false), sum);
    parts.fetch_add(1, std::memory_order_relaxed);
  });
  parallel_for(size, kSumGrain, [&](int64_t begin, int64_t end, int) {
    for (int64_t part = 1; part < parts.load(); ++part) {
      const float* sum = sums + (part - 1) * size;
      for (int64_t i = begin; i < end; ++i) p.d_filter[i] += sum[i];
    }
  });
}

}  // namespace

void channel_sparse_conv2d(const ChannelSparseConv2dParams& p) {
  const ActiveChannels active(p.masks, p.shape);
  const SparsePlan plan(active, p.shape);
  if (!plan.dense) return for_each_run(p, plan, forward);
  float* room = thread_floats(Scratch::Gather, input_floats(p.shape));
  const float* x = masked_input(p.shape, p.masks, plan, p.x, room);
  conv2d({p.shape, x, p.filter, nullptr, Activation::Linear, p.y});
  masked_output(p.shape, p.masks, plan, p.y, p.y);
}

void channel_sparse_conv2d_backprop_input(const ChannelSparseConv2dBackpropInputParams& p) {
  const ActiveChannels active(p.masks, p.shape);
  const SparsePlan plan(active, p.shape);
  if (!plan.dense) return for_each_run(p, plan, backprop_input);
  float* room = thread_floats(Scratch::Gather, output_floats(p.shape));
  const float* dy = masked_output(p.shape, p.masks, plan, p.dy, room);
  conv2d_backprop_input({p.shape, dy, p.filter, p.dx});
  masked_input(p.shape, p.masks, plan, p.dx, p.dx);
}

void channel_sparse_conv2d_backprop_filter(const ChannelSparseConv2dBackpropFilterParams& p) {
  const ActiveChannels active(p.masks, p.shape);
  const SparsePlan plan(active, p.shape);
  if (!plan.dense) return sum_backprop_filter(p, plan);
  float* room = thread_floats(Scratch::Gather, input_floats(p.shape) + output_floats(p.shape));
  const float* x = masked_input(p.shape, p.masks, plan, p.x, room);
  const float* dy = masked_output(p.shape, p.masks, plan, p.dy, room + input_floats(p.shape));
  conv2d_backprop_filter({p.shape, x, dy, p.d_filter});
}

}  // namespace ftwt::cpu
