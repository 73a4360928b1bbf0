// The way of a tile's sums from shared memory to the target: bias, residual, activation, and the masked channels.
#pragma once
#include "cuda/activate.cuh"
#include "cuda/sparse_product.cuh"

namespace ftwt::cuda {

__device__ __forceinline__ float finish_sum(const SparseProduct& p, float sum, int channel) {
  return activate(p.bias == nullptr ? sum : sum + p.bias[channel], p.activation);
}

// Writes the packed channels of the tile's pixels, columns [first_column, end), and the zeros behind the last.
template <class Tile>
__device__ void write_packed(const SparseProduct& p, int64_t sample, int first_row, int first_column, int end,
                             const float* sums) {
  const int lane = static_cast<int>(threadIdx.x) % 32, warp = static_cast<int>(threadIdx.x) / 32;
  const int pixels = p.h.rows * p.w.rows;  // all of the target's
  const int count = p.columns.count(sample), width = packed_channels(count);
  const int32_t* list = p.columns.list(sample);
  float* image = p.target + sample * pixels * packed_channels(p.columns.c);
  for (int row = warp; row < min(Tile::kRows, pixels - first_row); row += Tile::kThreads / 32) {
    float* target = image + static_cast<int64_t>(first_row + row) * width;
    const float* from = sums + row * kStrideSum - first_column;
    for (int column = first_column + lane; column < end; column += 32) {
      target[column] = column < count ? finish_sum(p, from[column], list[column]) : 0.0f;
    }
  }
}

// Writes channels [first, last) of the tile's pixels, whose active ones are the columns from first_column on.
template <class Tile>
__device__ void write_channels(const SparseProduct& p, int64_t sample, int first_row, int first_column, int first,
                               int last, const float* sums) {
  const int lane = static_cast<int>(threadIdx.x) % 32, warp = static_cast<int>(threadIdx.x) / 32;
  const int rows = min(Tile::kRows, p.h.rows * p.w.rows - first_row);
  const int32_t* ranks = p.columns.rank(sample);
  float* image = p.target + sample * p.h.target_size * p.w.target_size * p.columns.c;
  for (int row = warp; row < rows; row += Tile::kThreads / 32) {
    const int pixel = first_row + row;
    const int64_t h = p.h.first_target + static_cast<int64_t>(pixel / p.w.rows) * p.h.target_step;
    const int64_t w = p.w.first_target + static_cast<int64_t>(pixel % p.w.rows) * p.w.target_step;
    float* target = image + (h * p.w.target_size + w) * p.columns.c;
    const float* residual = p.residual == nullptr ? nullptr : p.residual + (target - p.target);
    const float* from = sums + row * kStrideSum - first_column;
    for (int channel = first + lane; channel < last; channel += 32) {
      const int rank = ranks[channel];
      const bool active = ranks[channel + 1] > rank;
      if (residual == nullptr) {
        target[channel] = active ? finish_sum(p, from[rank], channel) : 0.0f;
      } else {
        const float bias = p.bias == nullptr ? 0.0f : p.bias[channel];
        target[channel] = activate((active ? from[rank] + bias : 0.0f) + residual[channel], p.activation);
      }
    }
  }
}

}  // namespace ftwt::cuda
