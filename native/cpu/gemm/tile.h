// The register tiles: MR output pixels x NV vectors of output columns, all accumulators in registers.
#pragma once
#include "cpu/gemm/activate.h"
#include "cpu/gemm/gemm.h"
#include "cpu/isa.h"

namespace ftwt::FTWT_ISA {

cpu::PanelLayout gemm_layout(int64_t columns);

namespace {

// Accumulators + one row of the panel + one broadcast fit the register file (32 with AVX-512, else 16), with enough
// independent chains for two FMA units of latency 4, and no more row pointers than general registers.
#if defined(FTWT_ISA_avx512)
constexpr int kMaxVectors = 4;
constexpr int kTileRows[kMaxVectors + 1] = {0, 12, 12, 8, 6};
#elif defined(FTWT_ISA_avx2)
constexpr int kMaxVectors = 2;
constexpr int kTileRows[kMaxVectors + 1] = {0, 10, 6};
#else
constexpr int kMaxVectors = 2;
constexpr int kTileRows[kMaxVectors + 1] = {0, 8, 4};
#endif

struct Tile {
  const float* const* rows;  // [taps, row_stride]: the first MR of each tap are read
  int64_t row_stride;
  int64_t first_k;        // of each row
  int64_t taps, depth;    // of this part of the sum
  const float* panel;     // [taps * depth, NV vectors]
  bool first_part;        // starts from the bias, else from the output
  bool last_part;         // applies the activation
  float* const* outputs;  // [MR], the first `valid` are written
  int64_t valid;
  int64_t first_column;
  int64_t columns;    // of this panel, without its padding
  const float* bias;  // of the first column, or none
  Activation activation;
};

template <int MR, int NV>
FTWT_INLINE void start(const Tile& tile, Vec (&acc)[MR][NV]) {
#pragma GCC unroll 4
  for (int v = 0; v < NV; ++v) {
    const int64_t offset = v * kLanes;
    const Vec bias =
        tile.bias != nullptr && tile.first_part ? load_some(tile.bias + offset, tile.columns - offset) : Vec{};
#pragma GCC unroll 16
    for (int m = 0; m < MR; ++m) acc[m][v] = bias;
  }
  if (tile.first_part) return;
#pragma GCC unroll 16
  for (int m = 0; m < MR; ++m) {
    if (m >= tile.valid) break;
    const float* out = tile.outputs[m] + tile.first_column;
#pragma GCC unroll 4
    for (int v = 0; v < NV; ++v) acc[m][v] = load_some(out + v * kLanes, tile.columns - v * kLanes);
  }
}

template <int MR, int NV>
FTWT_INLINE void finish(const Tile& tile, Vec (&acc)[MR][NV]) {
  const Activation activation = tile.last_part ? tile.activation : Activation::Linear;
#pragma GCC unroll 16
  for (int m = 0; m < MR; ++m) {
    if (m >= tile.valid) break;
    float* out = tile.outputs[m] + tile.first_column;
#pragma GCC unroll 4
    for (int v = 0; v < NV; ++v) {
      store_some(out + v * kLanes, activate(acc[m][v], activation), tile.columns - v * kLanes);
    }
  }
}

template <int MR, int NV>
__attribute__((noinline)) void run_tile(const Tile& tile) {
  Vec acc[MR][NV];
  start<MR, NV>(tile, acc);
  const float* panel = tile.panel;
  for (int64_t t = 0; t < tile.taps; ++t) {
    const float* const* rows = tile.rows + t * tile.row_stride;
    const float* row[MR];
#pragma GCC unroll 16
    for (int m = 0; m < MR; ++m) row[m] = rows[m] + tile.first_k;
    for (int64_t k = 0; k < tile.depth; ++k) {
      Vec b[NV];
#pragma GCC unroll 4
      for (int v = 0; v < NV; ++v) b[v] = load(panel + v * kLanes);
      panel += NV * kLanes;
#pragma GCC unroll 16
      for (int m = 0; m < MR; ++m) {
        const Vec a = splat(row[m][k]);
#pragma GCC unroll 4
        for (int v = 0; v < NV; ++v) acc[m][v] = multiply_add(acc[m][v], a, b[v]);
      }
    }
  }
  finish<MR, NV>(tile, acc);
}

}  // namespace
}  // namespace ftwt::FTWT_ISA
