#include "cpu/gemm/gemm.h"

#include <algorithm>

#include "cpu/scratch.h"
#include "cpu/thread_pool.h"

namespace ftwt::cpu {
namespace {

// A part below this many multiply-adds (some 5 us) costs more to hand to another thread than it saves.
constexpr int64_t kGrain = 1 << 18;

// Fewer pixels than this for each thread: the threads share the panels instead, so that tiles stay whole.
constexpr int64_t kFewPixels = 48;

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

}  // namespace ftwt::cpu
