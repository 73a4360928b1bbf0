// Grids for kernels whose threads compute a vector of channels at a place of an NHWC tensor.
#pragma once
#include <cuda_runtime.h>

#include <algorithm>
#include <cstdint>

#include "cuda/column_blocks.cuh"
#include "cuda/divider.cuh"
#include "ops/common.h"

namespace ftwt::cuda {

struct Place {
  int64_t image;
  int row, column;
  int channel;  // the first of the vector
};

// The places of one launch. Block (width, height): threadIdx.x runs over vectors of channels, threadIdx.y over places.
struct PixelGrid {
  Divider tiles, columns, rows;
  uint32_t places;
  int64_t first_image;
  uint32_t first_row;
  int channels;

  // False for a thread without work.
  template <int V>
  __device__ __forceinline__ bool find(Place& at) const {
    const uint32_t block = tiles.quotient(blockIdx.x);
    const uint32_t tile = blockIdx.x - block * tiles.divisor();
    const uint32_t place = block * blockDim.y + threadIdx.y;
    at.channel = static_cast<int>((tile * blockDim.x + threadIdx.x) * V);
    if (at.channel >= channels || place >= places) return false;
    const uint32_t row = columns.quotient(place);
    at.column = static_cast<int>(place - row * columns.divisor());
    const uint32_t image = rows.quotient(row + first_row);
    at.row = static_cast<int>(row + first_row - image * rows.divisor());
    at.image = first_image + image;
    return true;
  }
};

// Index arithmetic of a launch is in 32 bits; more places than that take more launches.
constexpr int64_t kMostPlaces = int64_t{1} << 30;

// Calls body(PixelGrid, grid, block) for each launch that [images, rows, columns, channels] takes. Blocks are at most
// max_width vectors of channels wide: narrow where neighbouring places share what they read, wide where they do not.
template <typename Body>
void for_pixel_grids(int64_t images, int64_t rows, int64_t columns, int64_t channels, int vector, int max_width,
                     const Body& body) {
  if (images == 0 || rows == 0 || columns == 0 || channels == 0) return;
  const ColumnBlocks blocks(channels / vector, max_width);
  const int64_t row_size = columns * blocks.tiles;
  if (rows > kMostPlaces || row_size > kMostPlaces || channels > kMostPlaces) {
    throw Error(ErrorCode::InvalidArgument, "A tensor's rows, columns and channels: expected at most 2^30");
  }
  const int64_t rows_per_launch = kMostPlaces / row_size;
  for (int64_t first = 0; first < images * rows; first += rows_per_launch) {
    const int64_t places = std::min(rows_per_launch, images * rows - first) * columns;
    const PixelGrid grid = {Divider(blocks.tiles),         Divider(columns), Divider(rows),
                            static_cast<uint32_t>(places), first / rows,     static_cast<uint32_t>(first % rows),
                            static_cast<int>(channels)};
    const int64_t count = (places + blocks.height - 1) / blocks.height * blocks.tiles;
    body(grid, dim3(static_cast<unsigned>(count)), blocks.block());
  }
}

}  // namespace ftwt::cuda
