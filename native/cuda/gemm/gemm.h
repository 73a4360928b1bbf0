// Tiled matrix products for convolutions and matmul: see problem.h for what, kernel.cuh for how.
#pragma once
#include <cstdint>

#include "cuda/context.h"
#include "cuda/gemm/problem.h"

namespace ftwt::cuda {

// Queues the product. Sums run in an order that depends on the sizes and the device alone.
void run_gemm(const GemmProblem& problem);

// A size as kernels count it; throws InvalidArgument from 2^31 on.
int gemm_size(int64_t size);

namespace gemm {

// Sums of one block: 128 x 128, 128 x 64, 64 x 64, 128 x 32.
enum class Tile : int { Wide, Tall, Small, Narrow, Count };

struct Plan {
  Tile tile;
  int splits;  // blocks that share the sum of a tile
};

Plan plan_gemm(const GemmProblem& problem, Precision precision, int multiprocessors);
void run_planned(const GemmProblem& problem, Precision precision, const Plan& plan);

// What a launch adds to the problem.
struct LaunchShape {
  int row_tiles, column_tiles, splits;
  int64_t first_matrix;  // of the batch
  float* partials;       // [splits, y_size], nullptr where there is one split
  bool vector_stores;    // rows of y are whole 16-byte words
};

void launch_fma(const GemmProblem& problem, Tile tile, const LaunchShape& shape, unsigned blocks);
void launch_tf32(const GemmProblem& problem, Tile tile, const LaunchShape& shape, unsigned blocks);

}  // namespace gemm
}  // namespace ftwt::cuda
