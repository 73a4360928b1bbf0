// The GEMM on the tensor cores. A 128 x 128 tile loads 32 FLOP for each byte, so the second-level cache (about 5.5 TB/s
// on an H100) binds at some 175 TFLOP/s, long before the 495 of the tensor cores: smaller tiles in proportion. A warp
// of 64 x 64 sums issues 32 products, 16 to 24 loads and 32 roundings for 8 steps.
#include "cuda/gemm/launch.cuh"
#include "cuda/gemm/tf32_core.cuh"

namespace ftwt::cuda::gemm {

void launch_tf32(const GemmProblem& problem, Tile tile, const LaunchShape& shape, unsigned blocks) {
  switch (tile) {
    case Tile::Wide: return launch_tile<Tf32Core, 128, 128, 2, 2>(problem, shape, blocks);
    case Tile::Tall: return launch_tile<Tf32Core, 128, 64, 2, 2>(problem, shape, blocks);
    case Tile::Small: return launch_tile<Tf32Core, 64, 64, 2, 2>(problem, shape, blocks);
    case Tile::Narrow: return launch_tile<Tf32Core, 128, 32, 4, 1>(problem, shape, blocks);
    case Tile::Count: break;
  }
}

}  // namespace ftwt::cuda::gemm
