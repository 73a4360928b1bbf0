#include "ops/batch_norm.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "cpu/dispatch.h"
#include "cpu/thread_pool.h"

FTWT_DECLARE_KERNEL(void batch_sums(const float* x, const float* shift, int64_t rows, int64_t cols, double* sum,
                                    double* squares))
FTWT_DECLARE_KERNEL(void batch_norm_rows(int activation, const float* x, const float* mean, const float* scale,
                                         const float* offset, float* y, int64_t rows, int64_t cols))
FTWT_DECLARE_KERNEL(void batch_norm_grad_sums(int activation, const float* x, const float* dy, const float* mean,
                                              const float* scale, const float* offset, int64_t rows, int64_t cols,
                                              double* sum_dz, double* sum_dz_centred))
FTWT_DECLARE_KERNEL(void batch_norm_grad_rows(int activation, const float* x, const float* dy, const float* mean,
                                              const float* scale, const float* offset, const float* slope,
                                              const float* bias, float* dx, int64_t rows, int64_t cols))

namespace ftwt::cpu {
namespace {

constexpr int64_t kGrain = 16384;
constexpr int64_t kJoined = 128;

// Rows of few channels are joined into rows of at least kJoined, with the channels' constants repeated: vector loops
// over 3 channels would be all tail. What is left over is one shorter row.
struct Joined {
  int64_t times;  // rows of x in a joined row
  int64_t cols;
  int64_t rows, c;  // of x

  Joined(int64_t rows_, int64_t c_) : times(std::max<int64_t>(1, kJoined / c_)), cols(times * c_), rows(rows_), c(c_) {}

  template <typename Value>
  std::vector<float> constants(Value value) const {
    std::vector<float> result(static_cast<std::size_t>(cols));
    for (int64_t i = 0; i < cols; ++i) result[i] = i < c ? static_cast<float>(value(i)) : result[i - c];
    return result;
  }

  // body(offset into x, joined rows, their length, thread), in parallel; the last call may have one shorter row.
  template <typename Body>
  void parallel_rows(const Body& body) const {
    parallel_for((rows + times - 1) / times, std::max<int64_t>(1, kGrain / cols),
                 [&](int64_t begin, int64_t end, int thread) {
                   const int64_t whole = std::min(end, rows / times);
                   if (whole > begin) body(begin * cols, whole - begin, cols, thread);
                   if (end > whole) body(whole * cols, 1, rows % times * c, thread);
                 });
  }

  // Two column sums of x's channels; body(offset, rows, cols, first, second) adds to first, second [cols].
  template <typename Body>
  void parallel_sums(double* first, double* second, const Body& body) const {
    std::vector<double> partial(static_cast<std::size_t>(thread_count() * 2 * cols));
    parallel_rows([&](int64_t offset, int64_t count, int64_t width, int thread) {
      double* sums = partial.data() + thread * 2 * cols;
      body(offset, count, width, sums, sums + cols);
    });
    std::fill(first, first + c, 0.0);
    std::fill(second, second + c, 0.0);
    for (int64_t i = 0; i < thread_count() * 2 * cols; i += 2 * cols) {
      for (int64_t j = 0; j < cols; ++j) {
        first[j % c] += partial[i + j];
        second[j % c] += partial[i + cols + j];
      }
    }
  }
};

double inverse_deviation(float variance, float epsilon) {
  return 1 / std::sqrt(static_cast<double>(variance) + static_cast<double>(epsilon));
}

// Constants of y = (x - mean) scale + offset.
struct Affine {
  std::vector<float> mean, scale, offset;

  template <typename Params>
  Affine(const Joined& joined, const Params& p)
      : mean(joined.constants([&](int64_t c) { return p.mean[c]; })),
        scale(joined.constants([&](int64_t c) {
          return (p.gamma != nullptr ? p.gamma[c] : 1.0f) * inverse_deviation(p.variance[c], p.epsilon);
        })),
        offset(joined.constants([&](int64_t c) { return p.beta != nullptr ? p.beta[c] : 0.0f; })) {}
};

}  // namespace

void batch_norm(const BatchNormParams& p) {
  const Joined joined(p.rows, p.c);
  const Affine affine(joined, p);
  const auto kernel = FTWT_KERNEL(batch_norm_rows);
  joined.parallel_rows([&](int64_t offset, int64_t rows, int64_t cols, int) {
    kernel(static_cast<int>(p.activation), p.x + offset, affine.mean.data(), affine.scale.data(), affine.offset.data(),
           p.y + offset, rows, cols);
  });
}

void batch_statistics(const BatchStatisticsParams& p) {
  const Joined joined(p.rows, p.c);
  const std::vector<float> shift = joined.constants([&](int64_t c) { return p.x[c]; });
  std::vector<double> sum(static_cast<std::size_t>(p.c)), squares(sum.size());
  const auto kernel = FTWT_KERNEL(batch_sums);
  joined.parallel_sums(sum.data(), squares.data(),
                       [&](int64_t offset, int64_t rows, int64_t cols, double* first, double* second) {
                         kernel(p.x + offset, shift.data(), rows, cols, first, second);
                       });
  const double n = static_cast<double>(p.rows);
  for (int64_t c = 0; c < p.c; ++c) {
    const double mean = sum[c] / n;
    const double variance = squares[c] / n - mean * mean;
    p.mean[c] = static_cast<float>(static_cast<double>(shift[c]) + mean);
    p.variance[c] = static_cast<float>(variance < 0 ? 0 : variance);
  }
}

void batch_norm_grad(const BatchNormGradParams& p) {
  const Joined joined(p.rows, p.c);
  const Affine affine(joined, p);
  const int activation = static_cast<int>(p.activation);
  std::vector<double> sum(static_cast<std::size_t>(p.c)), centred(sum.size());
  const auto sums = FTWT_KERNEL(batch_norm_grad_sums);
  joined.parallel_sums(sum.data(), centred.data(),
                       [&](int64_t offset, int64_t rows, int64_t cols, double* first, double* second) {
                         sums(activation, p.x + offset, p.dy + offset, affine.mean.data(), affine.scale.data(),
                              affine.offset.data(), rows, cols, first, second);
                       });

  for (int64_t c = 0; c < p.c; ++c) {
    const double inverse = inverse_deviation(p.variance[c], p.epsilon);
    p.d_beta[c] = static_cast<float>(sum[c]);
    p.d_gamma[c] = static_cast<float>(centred[c] * inverse);
    const double scale = static_cast<double>(affine.scale[c]);
    if (p.d_mean != nullptr) p.d_mean[c] = static_cast<float>(-scale * sum[c]);
    if (p.d_variance != nullptr) p.d_variance[c] = static_cast<float>(-0.5 * scale * inverse * inverse * centred[c]);
  }

  // With batch statistics dx = scale (dz - mean(dz) - xhat mean(dz xhat)); with given ones only scale dz.
  const double per_row = p.training ? 1 / static_cast<double>(p.rows) : 0;
  const std::vector<float> slope = joined.constants([&](int64_t c) {
    const double inverse = inverse_deviation(p.variance[c], p.epsilon);
    return -static_cast<double>(affine.scale[c]) * inverse * inverse * centred[c] * per_row;
  });
  const std::vector<float> bias =
      joined.constants([&](int64_t c) { return -static_cast<double>(affine.scale[c]) * sum[c] * per_row; });
  const auto kernel = FTWT_KERNEL(batch_norm_grad_rows);
  joined.parallel_rows([&](int64_t offset, int64_t rows, int64_t cols, int) {
    kernel(activation, p.x + offset, p.dy + offset, affine.mean.data(), affine.scale.data(), affine.offset.data(),
           slope.data(), bias.data(), p.dx + offset, rows, cols);
  });
}

}  // namespace ftwt::cpu
