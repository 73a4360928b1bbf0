// Batched matrix product on the tiled GEMM of cuda/gemm.
//
// A is the rows of one image with one tap (WindowRows), or its columns where it is stored transposed; B is Rows, or
// Columns where it is stored transposed. Where every matrix of the batch meets the same B, the batch is one tall
// matrix.
//
// Launch: one block for each tile of 128 x 128 down to 128 x 32 sums, times the splits of the sum, times the batch
// (cuda/gemm/gemm.cu chooses). Memory: A is read once for each column of tiles, B once for each row of tiles, mostly
// from the second-level cache; y is written once, plus `splits` times in parts. m k n MACs. Limits at the rates of an
// H100: 67 TFLOP/s in float32, about 175 in TF32 (cuda/gemm/tf32.cu); below some 40 FLOP for each byte of A, B and y (a
// matrix of few rows or columns), memory at 3.35 TB/s.
//
// Hazards: sizes that are no multiple of four are copied to padded rows first (aligned.h), which doubles the reads of
// such a matrix; a product with a single row or column still computes a tile of 64 x 64.
#include "ops/matmul.h"

#include "cuda/gemm/aligned.h"
#include "cuda/gemm/gemm.h"

namespace ftwt::cuda {
namespace {

Window matrix_window(const float* data, int64_t rows, int64_t columns) {
  return {data, 1, 1, gemm_size(rows), gemm_size(columns), 1, 1, 0, 0};
}

}  // namespace

void matmul(const MatmulParams& params) {
  MatmulParams p = params;
  if (p.batch == 0 || p.m == 0 || p.n == 0) return;
  if (!p.transpose_a && p.b_batch == 1 && p.a_batch == p.batch) {
    p.m *= p.batch;
    p.batch = p.a_batch = 1;
  }
  const int64_t a_rows = p.transpose_a ? p.k : p.m, a_columns = whole_words(p.transpose_a ? p.m : p.k);
  const int64_t b_rows = p.transpose_b ? p.n : p.k, b_columns = whole_words(p.transpose_b ? p.k : p.n);
  const Aligned a(p.a, p.a_batch, a_rows, p.transpose_a ? p.m : p.k, a_rows);
  const Aligned b(p.b, p.b_batch, b_rows, p.transpose_b ? p.k : p.n, b_rows);

  GemmProblem gemm = {};
  gemm.a_columns = p.transpose_a;
  gemm.b_columns = p.transpose_b;
  gemm.a = matrix_window(a.data(), a_rows, a_columns);
  gemm.b = {b.data(), b_columns, gemm_size(b_columns), gemm_size(b_columns), 0, 0};
  gemm.y = {p.y, 0, 0, p.n, gemm_size(p.m)};
  gemm.columns = gemm_size(p.n);
  gemm.y_size = p.batch * p.m * p.n;
  gemm.splittable = true;
  gemm.bias = p.bias;
  gemm.activation = p.activation;
  gemm.part_count = 1;
  gemm.parts[0] = {p.m, p.k, 1, gemm_size(p.transpose_a ? p.k : p.m), 0, 0, 1, 1, 0, 0};
  gemm.batch = p.batch;
  gemm.a_batch = p.a_batch;
  gemm.b_batch = p.b_batch;
  gemm.a_stride = a_rows * a_columns;
  gemm.b_stride = b_rows * b_columns;
  gemm.y_stride = p.m * p.n;
  run_gemm(gemm);
}

}  // namespace ftwt::cuda
