#include "cuda/gemm/aligned.h"

#include <algorithm>

#include "cuda/device.cuh"

namespace ftwt::cuda {
namespace {

constexpr int kThreads = 256;
constexpr int kBlocksPerMultiprocessor = 16;

// A thread writes words of 16 bytes.
__global__ void align_kernel(const float* from, int64_t rows, int64_t columns, int64_t padded_rows, int64_t row_words,
                             int64_t words, float4* to) {
  const int64_t threads = static_cast<int64_t>(gridDim.x) * blockDim.x;
  for (int64_t i = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; i < words; i += threads) {
    const int64_t padded_row = i / row_words;
    const int64_t column = (i - padded_row * row_words) * 4;
    const int64_t matrix = padded_row / padded_rows;
    const int64_t row = padded_row - matrix * padded_rows;
    const float* const source = from + ((matrix * rows + row) * columns + column);
    const int64_t left = row < rows ? columns - column : 0;
    to[i] = make_float4(left > 0 ? source[0] : 0.0f, left > 1 ? source[1] : 0.0f, left > 2 ? source[2] : 0.0f,
                        left > 3 ? source[3] : 0.0f);
  }
}

}  // namespace

Aligned::Aligned(const float* data, int64_t matrices, int64_t rows, int64_t columns, int64_t padded_rows)
    : data_(data) {
  const bool fits =
      rows == padded_rows && columns % 4 == 0 && reinterpret_cast<uintptr_t>(data) % (4 * sizeof(float)) == 0;
  const int64_t row_words = whole_words(columns) / 4;
  const int64_t words = matrices * padded_rows * row_words;
  if (fits || words == 0) return;
  copy_.emplace(static_cast<std::size_t>(words) * sizeof(float4));
  data_ = copy_->as<float>();
  const int64_t blocks = std::min<int64_t>((words + kThreads - 1) / kThreads,
                                           int64_t{kBlocksPerMultiprocessor} * current_limits().multiprocessors);
  launch(align_kernel, dim3(static_cast<unsigned>(blocks)), dim3(kThreads), 0, current_stream(), data, rows, columns,
         padded_rows, row_words, words, copy_->as<float4>());
}

}  // namespace ftwt::cuda
