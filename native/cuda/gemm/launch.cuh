// From the forms and the tile of a problem to the kernel compiled for them.
#pragma once
#include "cuda/gemm/kernel.cuh"

namespace ftwt::cuda::gemm {

// More needs a function attribute.
constexpr std::size_t kPlainSharedBytes = 48 << 10;

template <class Core, bool kAColumns, bool kBColumns>
void launch_kernel(const GemmProblem& problem, const LaunchShape& shape, unsigned blocks) {
  constexpr std::size_t kBytes = Layout<Core, kAColumns, kBColumns>::kSharedBytes;
  const auto kernel = gemm_kernel<Core, kAColumns, kBColumns>;
  if (kBytes > kPlainSharedBytes) {
    CUDA_CHECK(cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, static_cast<int>(kBytes)));
  }
  launch(kernel, dim3(blocks), dim3(Core::kThreads), kBytes, current_stream(), problem, shape);
}

template <template <int, int, int, int, bool, bool> class Core, int kRows, int kColumns, int kWarpsM, int kWarpsN>
void launch_tile(const GemmProblem& p, const LaunchShape& shape, unsigned blocks) {
  if (!p.a_columns && !p.b_columns) {
    launch_kernel<Core<kRows, kColumns, kWarpsM, kWarpsN, true, false>, false, false>(p, shape, blocks);
  } else if (!p.a_columns) {
    launch_kernel<Core<kRows, kColumns, kWarpsM, kWarpsN, true, true>, false, true>(p, shape, blocks);
  } else if (!p.b_columns) {
    launch_kernel<Core<kRows, kColumns, kWarpsM, kWarpsN, false, false>, true, false>(p, shape, blocks);
  } else if constexpr (kRows == 64) {  // both transposed is rare: one tile is compiled
    launch_kernel<Core<kRows, kColumns, kWarpsM, kWarpsN, false, true>, true, true>(p, shape, blocks);
  }
}

}  // namespace ftwt::cuda::gemm
