// A matrix is a row of pixels with one tap, so products are the GEMMs of cpu/gemm: A B reads the rows of A in place and
// packs B, A^T B is the transposed product.
#include "ops/matmul.h"

#include "cpu/gemm/gemm.h"
#include "cpu/scratch.h"
#include "cpu/thread_pool.h"

namespace ftwt::cpu {
namespace {

constexpr int32_t kNoMove[1] = {0};

// Below this many multiply-adds the matrices of a batch are shared between threads, not the rows of one matrix.
constexpr int64_t kSmallProduct = 1 << 20;

TapWindow matrix_window(const float* rows, int64_t count, int64_t depth) {
  return {.batch = 1,
          .grid_h = 1,
          .grid_w = count,
          .source = rows,
          .source_h = 1,
          .source_w = count,
          .source_batch_stride = count * depth,
          .source_row_stride = count * depth,
          .source_pixel_stride = depth,
          .step_h = 1,
          .step_w = 1,
          .taps = 1,
          .tap_h = kNoMove,
          .tap_w = kNoMove,
          .depth = depth};
}

PackParams pack_params(const MatmulParams& p, const float* b) {
  return {.filter = b,
          .taps = 1,
          .depth = p.k,
          .columns = p.n,
          .tap_stride = 0,
          .row_stride = p.transpose_b ? 1 : p.n,
          .column_stride = p.transpose_b ? p.k : 1};
}

IndirectGemm product(const MatmulParams& p, const float* a, int64_t rows, const float* panels, float* y) {
  return {.window = matrix_window(a, rows, p.k),
          .panels = panels,
          .columns = p.n,
          .output = {y, 0, 0, p.n},
          .bias = p.bias,
          .activation = p.activation};
}

// y = A^T B for one pair of matrices.
void transposed_product(const MatmulParams& p, const float* a, const float* b, float* y) {
  const float* rows = b;  // [k, n]
  if (p.transpose_b) {
    float* transposed = thread_floats(Scratch::Transpose, static_cast<std::size_t>(p.k * p.n));
    for (int64_t j = 0; j < p.n; ++j) {
      for (int64_t i = 0; i < p.k; ++i) transposed[i * p.n + j] = b[j * p.k + i];
    }
    rows = transposed;
  }
  run_outer_gemm({.window = matrix_window(a, p.k, p.m), .dy = {rows, 0, 0, p.n}, .columns = p.n},
                 {.data = y, .bias = p.bias, .activation = p.activation});
}

}  // namespace

void matmul(const MatmulParams& p) {
  if (p.batch == 0 || p.m == 0 || p.n == 0) return;
  const auto a = [&](int64_t i) { return p.a + i % p.a_batch * p.m * p.k; };
  const auto b = [&](int64_t i) { return p.b + i % p.b_batch * p.k * p.n; };
  const auto y = [&](int64_t i) { return p.y + i * p.m * p.n; };
  const auto packed = [&](const float* matrix, bool serial) {
    const PackParams params = pack_params(p, matrix);
    float* panels = thread_floats(Scratch::Panels, packed_floats(params));
    serial ? pack_panels_serial(params, panels) : pack_panels(params, panels);
    return panels;
  };

  if (p.transpose_a) {
    for (int64_t i = 0; i < p.batch; ++i) transposed_product(p, a(i), b(i), y(i));
  } else if (p.b_batch == 1 && p.a_batch == p.batch) {
    run_gemm(product(p, p.a, p.batch * p.m, packed(p.b, false), p.y));
  } else if (p.m * p.k * p.n < kSmallProduct) {
    parallel_for(p.batch, 1, [&](int64_t begin, int64_t end, int) {
      for (int64_t i = begin; i < end; ++i) {
        run_gemm_range(product(p, a(i), p.m, packed(b(i), true), y(i)), 0, p.m, 0, panel_layout(p.n).panels);
      }
    });
  } else {
    for (int64_t i = 0; i < p.batch; ++i) run_gemm(product(p, a(i), p.m, packed(b(i), false), y(i)));
  }
}

}  // namespace ftwt::cpu
