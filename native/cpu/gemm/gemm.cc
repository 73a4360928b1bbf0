#include "cpu/gemm/gemm.h"

#include <algorithm>
#include <atomic>

#include "cpu/scratch.h"
#include "cpu/thread_pool.h"

namespace ftwt::cpu {
namespace {

// A part below this many multiply-adds (some 5 us) costs more to hand to another thread than it saves.
constexpr int64_t kGrain = 1 << 18;

// Fewer pixels than this for each thread: the threads share the panels instead, so that tiles stay whole.
constexpr int64_t kFewPixels = 48;

// Results of a transposed product up to this many floats (512 KiB) are kept once for each thread, where each has at
// least this many pixels to sum.
constexpr int64_t kSmallResult = 1 << 17;
constexpr int64_t kManyPixels = 1024;

}  // namespace

PanelLayout panel_layout(int64_t columns) { return FTWT_KERNEL(gemm_layout)(columns); }

std::size_t packed_floats(const PackParams& params) {
  const PanelLayout layout = panel_layout(params.columns);
  return static_cast<std::size_t>(layout.vectors * layout.lanes * params.taps * params.depth);
}

void pack_panels(const PackParams& params, float* packed) {
  const auto pack = FTWT_KERNEL(gemm_pack);
  const int64_t panel_floats = std::max<int64_t>(1, params.taps * params.depth * panel_layout(params.columns).lanes);
  parallel_for(panel_layout(params.columns).panels, kGrain / 8 / panel_floats + 1,
               [&](int64_t begin, int64_t end, int) {
                 for (int64_t panel = begin; panel < end; ++panel) pack(params, panel, packed);
               });
}

void pack_panels_serial(const PackParams& params, float* packed) {
  const auto pack = FTWT_KERNEL(gemm_pack);
  for (int64_t panel = 0; panel < panel_layout(params.columns).panels; ++panel) pack(params, panel, packed);
}

void run_gemm_range(const IndirectGemm& gemm, int64_t pixel_begin, int64_t pixel_end, int64_t panel_begin,
                    int64_t panel_end) {
  void* scratch = thread_scratch(Scratch::Gemm, FTWT_KERNEL(gemm_scratch_bytes)(gemm));
  FTWT_KERNEL(gemm_range)(gemm, pixel_begin, pixel_end, panel_begin, panel_end, scratch);
}

void run_gemm(const IndirectGemm& gemm) {
  const int64_t pixels = gemm.window.pixels();
  const int64_t panels = panel_layout(gemm.columns).panels;
  if (pixels == 0 || panels == 0) return;
  const int64_t depth = std::max<int64_t>(1, gemm.window.taps * gemm.window.depth);
  if (pixels < kFewPixels * thread_count() && panels > 1) {
    const int64_t panel_work = pixels * depth * (gemm.columns / panels);
    parallel_for(panels, kGrain / std::max<int64_t>(1, panel_work) + 1,
                 [&](int64_t begin, int64_t end, int) { run_gemm_range(gemm, 0, pixels, begin, end); });
  } else {
    parallel_for(pixels, kGrain / (depth * gemm.columns) + 1,
                 [&](int64_t begin, int64_t end, int) { run_gemm_range(gemm, begin, end, 0, panels); });
  }
}

namespace {

// No output pixels, or none in the source (an image of height 0 that is all padding): every sum is 0.
bool sums_nothing(const TapWindow& window) {
  return window.pixels() == 0 || window.source_h == 0 || window.source_w == 0;
}

void run_outer_range(const OuterGemm& gemm, int64_t pixel_begin, int64_t pixel_end, int64_t unit_begin,
                     int64_t unit_end, float* partial) {
  void* scratch = thread_scratch(Scratch::Gemm, FTWT_KERNEL(outer_scratch_bytes)(gemm));
  FTWT_KERNEL(outer_range)(gemm, pixel_begin, pixel_end, unit_begin, unit_end, partial, scratch);
}

}  // namespace

void run_outer_gemm(const OuterGemm& gemm, const OuterResult& result) {
  const int64_t rows = gemm.window.taps * gemm.window.depth;
  const int64_t pixels = gemm.window.pixels();
  const PanelLayout layout = FTWT_KERNEL(outer_layout)(gemm.columns);
  const int64_t size = rows * layout.vectors * layout.lanes;
  if (size == 0) return;

  // Where the result is small the threads share the pixels, each with a result of its own, added in their order
  // afterwards. Else they share the rows of the result, and each packs all of dy.
  const bool by_pixels = size <= kSmallResult && pixels >= kManyPixels * thread_count();
  const int64_t copies = by_pixels ? thread_count() : 1;
  float* partials = thread_floats(Scratch::Partials, static_cast<std::size_t>(size * copies));
  int64_t used = 1;
  if (sums_nothing(gemm.window)) {
    std::fill_n(partials, size, 0.0f);
  } else if (by_pixels) {
    const int64_t units = FTWT_KERNEL(outer_units)(gemm);
    // The pool may run fewer parts than there are threads (it does all in one when another caller holds it).
    std::atomic<int64_t> parts{0};
    parallel_for(pixels, kManyPixels, [&](int64_t begin, int64_t end, int thread) {
      run_outer_range(gemm, begin, end, 0, units, partials + thread * size);
      parts.fetch_add(1, std::memory_order_relaxed);
    });
    used = parts.load();
  } else {
    const int64_t units = FTWT_KERNEL(outer_units)(gemm);
    const int64_t unit_work = std::max<int64_t>(1, pixels * (rows / units) * gemm.columns);
    parallel_for(units, kGrain / unit_work + 1,
                 [&](int64_t begin, int64_t end, int) { run_outer_range(gemm, 0, pixels, begin, end, partials); });
  }
  parallel_for(rows, kGrain / (gemm.columns * used) + 1, [&](int64_t begin, int64_t end, int) {
    FTWT_KERNEL(outer_sum)(gemm, partials, used, begin, end, result);
  });
}

void run_outer_gemm_serial(const OuterGemm& gemm, const OuterResult& result) {
  const int64_t rows = gemm.window.taps * gemm.window.depth;
  const PanelLayout layout = FTWT_KERNEL(outer_layout)(gemm.columns);
  const int64_t size = rows * layout.vectors * layout.lanes;
  float* partial = thread_floats(Scratch::Partials, static_cast<std::size_t>(size));
  if (sums_nothing(gemm.window)) {
    std::fill_n(partial, size, 0.0f);
  } else {
    run_outer_range(gemm, 0, gemm.window.pixels(), 0, FTWT_KERNEL(outer_units)(gemm), partial);
  }
  FTWT_KERNEL(outer_sum)(gemm, partial, 1, 0, rows, result);
}

}  // namespace ftwt::cpu
