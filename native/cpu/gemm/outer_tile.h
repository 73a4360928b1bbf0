// The register tiles of the transposed product: MR source channels x NV vectors of columns, summed over a block of
// pixels.
#pragma once
#include "cpu/isa.h"

namespace ftwt::FTWT_ISA {
namespace {

// Tallest tile for each width. Loads of whole vectors are the bottleneck (about 1.2 a cycle with AVX-512): MR + NV of
// them feed MR * NV multiply-adds.
#if defined(FTWT_ISA_avx512)
constexpr int kOuterVectors = 4;
constexpr int kOuterRows[kOuterVectors + 1] = {0, 12, 12, 8, 6};
#elif defined(FTWT_ISA_avx2)
constexpr int kOuterVectors = 2;
constexpr int kOuterRows[kOuterVectors + 1] = {0, 10, 6};
#else
constexpr int kOuterVectors = 2;
constexpr int kOuterRows[kOuterVectors + 1] = {0, 8, 4};
#endif

struct OuterTile {
  const float* const* rows;  // [count]
  int64_t offset;            // of the first of the MR channels from each row
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
    for (int v = 0; v < NV; ++v) {
      acc[m][v] = Vec{};
      __builtin_prefetch(tile.partial + (m * NV + v) * kLanes, 1);
    }
  }
  const float* dy = tile.dy;
  const int64_t offset = tile.offset;
  const float* const* const rows = tile.rows;
  const int64_t count = tile.count;
  for (int64_t p = 0; p < count; ++p, dy += NV * kLanes) {
    const float* row = rows[p] + offset;
    Vec b[NV];
#pragma GCC unroll 4
    for (int v = 0; v < NV; ++v) b[v] = load(dy + v * kLanes);
#pragma GCC unroll 16
    for (int m = 0; m < MR; ++m) {
      const Vec a = splat(row[m]);
#pragma GCC unroll 4
      for (int v = 0; v < NV; ++v) acc[m][v] = multiply_add(acc[m][v], a, b[v]);
    }
  }
  float* const partial = tile.partial;
  if (tile.add) {
#pragma GCC unroll 16
    for (int m = 0; m < MR; ++m) {
#pragma GCC unroll 4
      for (int v = 0; v < NV; ++v) acc[m][v] += load(partial + (m * NV + v) * kLanes);
    }
  }
#pragma GCC unroll 16
  for (int m = 0; m < MR; ++m) {
#pragma GCC unroll 4
    for (int v = 0; v < NV; ++v) store(partial + (m * NV + v) * kLanes, acc[m][v]);
  }
}

// The tile of `rows` <= MR rows.
template <int MR, int NV>
FTWT_INLINE void run_outer_rows(const OuterTile& tile, int64_t rows) {
  if (rows == MR) return run_outer_tile<MR, NV>(tile);
  if constexpr (MR > 1) run_outer_rows<MR - 1, NV>(tile, rows);
}

void run_outer(const OuterTile& tile, int64_t rows, int64_t vectors) {
  switch (vectors) {
    case 1: return run_outer_rows<kOuterRows[1], 1>(tile, rows);
    case 2: return run_outer_rows<kOuterRows[2], 2>(tile, rows);
#if defined(FTWT_ISA_avx512)
    case 3: return run_outer_rows<kOuterRows[3], 3>(tile, rows);
    case 4: return run_outer_rows<kOuterRows[4], 4>(tile, rows);
#endif
    default: return;
  }
}

}  // namespace
}  // namespace ftwt::FTWT_ISA
