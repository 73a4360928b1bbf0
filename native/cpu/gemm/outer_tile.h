// The register tile of the transposed product: MR source channels x NV vectors of columns, summed over a block of
// pixels.
#pragma once
#include "cpu/gemm/activate.h"
#include "cpu/isa.h"

namespace ftwt::FTWT_ISA {
namespace {

#if defined(FTWT_ISA_avx512)
constexpr int kUnitRows = 8;  // 16 accumulators with two vectors
#else
constexpr int kUnitRows = 4;
#endif

struct OuterTile {
  const float* const* rows;  // [count]
  int64_t channel;           // the first of the MR channels of each row
  const float* dy;           // [count, NV vectors]
  int64_t count;
  float* partial;  // [MR, NV vectors]
  bool add;        // to what is in `partial`; else it is overwritten
};

template <int MR, int NV>
__attribute__((noinline)) void run_outer_tile(const OuterTile& tile) {
  Vec acc[MR][NV];
#pragma GCC unroll 16
  for (int m = 0; m < MR; ++m) {
#pragma GCC unroll 4
    for (int v = 0; v < NV; ++v) acc[m][v] = Vec{};
  }
  const float* dy = tile.dy;
  const int64_t channel = tile.channel;
  const float* const* const rows = tile.rows;
  const int64_t count = tile.count;
  for (int64_t p = 0; p < count; ++p, dy += NV * kLanes) {
    const float* row = rows[p] + channel;
    Vec b[NV];
#pragma GCC unroll 4
    for (int v = 0; v < NV; ++v) b[v] = load(dy + v * kLanes);
#pragma GCC unroll 16
    for (int m = 0; m < MR; ++m) {
      const Vec a = splat(row[m]);
#pragma GCC unroll 4
      for (int v = 0; v < NV; ++v) acc[m][v] += a * b[v];
    }
  }
#pragma GCC unroll 16
  for (int m = 0; m < MR; ++m) {
#pragma GCC unroll 4
    for (int v = 0; v < NV; ++v) {
      float* out = tile.partial + (m * NV + v) * kLanes;
      store(out, tile.add ? acc[m][v] + load(out) : acc[m][v]);
    }
  }
}

}  // namespace
}  // namespace ftwt::FTWT_ISA
