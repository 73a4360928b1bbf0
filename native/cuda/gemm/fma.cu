// The GEMM in float32. Expected limit: 67 TFLOP/s of FMA on an H100; a warp reads 64 bytes of shared memory for 64 FMAs
// of each thread, half of what would bind. A 128 x 128 tile loads 32 FLOP for each byte from the second-level cache
// (about 5.5 TB/s), 64 x 64 half of that: both stay above the 12 that the FMA rate asks for.
#include "cuda/gemm/fma_core.cuh"
#include "cuda/gemm/launch.cuh"

namespace ftwt::cuda::gemm {

void launch_fma(const GemmProblem& problem, Tile tile, const LaunchShape& shape, unsigned blocks) {
  switch (tile) {
    case Tile::Wide: return launch_tile<FmaCore, 128, 128, 4, 1>(problem, shape, blocks);
    case Tile::Tall: return launch_tile<FmaCore, 128, 64, 4, 1>(problem, shape, blocks);
    case Tile::Small: return launch_tile<FmaCore, 64, 64, 2, 2>(problem, shape, blocks);
    case Tile::Narrow: return launch_tile<FmaCore, 128, 32, 4, 1>(problem, shape, blocks);
    case Tile::Count: break;
  }
}

}  // namespace ftwt::cuda::gemm
