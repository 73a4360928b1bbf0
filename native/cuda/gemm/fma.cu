// The GEMM in float32. Expected limit: 67 TFLOP/s of FMA on an H100; a thread of the wide tile reads 24 numbers of
// shared memory for 128 FMAs. A 128 x 128 tile does 32 FLOP for each byte from the second-level cache (about 5.5 TB/s),
// 64 x 64 half of that: both more than the 12 that the FMA rate asks for.
#include "cuda/gemm/fma_core.cuh"
#include "cuda/gemm/launch.cuh"

namespace ftwt::cuda::gemm {

void launch_fma(const GemmProblem& problem, Tile tile, const LaunchShape& shape, unsigned blocks) {
  switch (tile) {
    case Tile::Wide: return launch_tile<FmaCore, Tile::Wide, 4, 1>(problem, shape, blocks);
    case Tile::Tall: return launch_tile<FmaCore, Tile::Tall, 4, 1>(problem, shape, blocks);
    case Tile::Small: return launch_tile<FmaCore, Tile::Small, 2, 2>(problem, shape, blocks);
    case Tile::Narrow: return launch_tile<FmaCore, Tile::Narrow, 4, 1>(problem, shape, blocks);
    case Tile::Count: break;
  }
}

}  // namespace ftwt::cuda::gemm
