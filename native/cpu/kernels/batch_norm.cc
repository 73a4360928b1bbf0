#include "ops/batch_norm.h"

#include "cpu/isa.h"

// Rows are contiguous. Per-column constants come in arrays of `cols`; native/cpu/batch_norm.cc makes rows long.
namespace ftwt::FTWT_ISA {
namespace {

constexpr int64_t kColTile = 1024;
// Column sums are kept in float over a few rows only, then in double.
constexpr int64_t kBlockRows = 16;

struct Linear {
  static float apply(float z) { return z; }
  static bool passes(float) { return true; }
};
struct Relu {
  static float apply(float z) { return z < 0 ? 0.0f : z; }
  static bool passes(float z) { return z > 0; }
};
struct Relu6 {
  static float apply(float z) { return z < 0 ? 0.0f : z > 6 ? 6.0f : z; }
  static bool passes(float z) { return (z > 0) & (z <= 6); }
};

template <typename Function>
FTWT_INLINE void with_activation(int activation, Function function) {
  switch (static_cast<Activation>(activation)) {
    case Activation::Relu: return function(Relu{});
    case Activation::Relu6: return function(Relu6{});
    default: return function(Linear{});
  }
}

struct Pair {
  float u, v;
};

// Adds to first, second [cols] the column sums of the pair that `term(row, column)` gives.
template <typename Term>
FTWT_INLINE void column_sums(int64_t rows, int64_t cols, double* first, double* second, Term term) {
  float u_block[kColTile], v_block[kColTile];
  for (int64_t c0 = 0; c0 < cols; c0 += kColTile) {
    const int64_t width = cols - c0 < kColTile ? cols - c0 : kColTile;
    for (int64_t r = 0; r < rows;) {
      const int64_t end = rows - r < kBlockRows ? rows : r + kBlockRows;
      for (int64_t c = 0; c < width; ++c) u_block[c] = v_block[c] = 0;
      for (; r < end; ++r) {
        for (int64_t c = 0; c < width; ++c) {
          const Pair pair = term(r, c0 + c);
          u_block[c] += pair.u;
          v_block[c] += pair.v;
        }
      }
      for (int64_t c = 0; c < width; ++c) {
        first[c0 + c] += static_cast<double>(u_block[c]);
        second[c0 + c] += static_cast<double>(v_block[c]);
      }
    }
  }
}

}  // namespace

// Sums of x - shift and of its square: shifted by a value of the column, the difference of squares does not cancel.
void batch_sums(const float* x, const float* shift, int64_t rows, int64_t cols, double* sum, double* squares) {
  column_sums(rows, cols, sum, squares, [=](int64_t r, int64_t c) {
    const float shifted = x[r * cols + c] - shift[c];
    return Pair{shifted, shifted * shifted};
  });
}

void batch_norm_rows(int activation, const float* x, const float* mean, const float* scale, const float* offset,
                     float* y, int64_t rows, int64_t cols) {
  with_activation(activation, [=](auto act) {
    for (int64_t r = 0; r < rows; ++r) {
      const float* xr = x + r * cols;
      float* yr = y + r * cols;
#pragma GCC ivdep
      for (int64_t c = 0; c < cols; ++c) yr[c] = act.apply((xr[c] - mean[c]) * scale[c] + offset[c]);
    }
  });
}

// Sums of dz and dz (x - mean), where dz is dy behind the activation. The activation's mask is computed again from x,
// which saves reading y.
void batch_norm_grad_sums(int activation, const float* x, const float* dy, const float* mean, const float* scale,
                          const float* offset, int64_t rows, int64_t cols, double* sum_dz, double* sum_dz_centred) {
  with_activation(activation, [=](auto act) {
    column_sums(rows, cols, sum_dz, sum_dz_centred, [=](int64_t r, int64_t c) {
      const float centred = x[r * cols + c] - mean[c];
      const float dz = act.passes(centred * scale[c] + offset[c]) ? dy[r * cols + c] : 0.0f;
      return Pair{dz, dz * centred};
    });
  });
}

// dx = dz scale + (x - mean) slope + bias
void batch_norm_grad_rows(int activation, const float* x, const float* dy, const float* mean, const float* scale,
                          const float* offset, const float* slope, const float* bias, float* dx, int64_t rows,
                          int64_t cols) {
  with_activation(activation, [=](auto act) {
    for (int64_t r = 0; r < rows; ++r) {
      const float *xr = x + r * cols, *dyr = dy + r * cols;
      float* dxr = dx + r * cols;
#pragma GCC ivdep
      for (int64_t c = 0; c < cols; ++c) {
        const float centred = xr[c] - mean[c];
        const float dz = act.passes(centred * scale[c] + offset[c]) ? dyr[c] : 0.0f;
        dxr[c] = dz * scale[c] + (centred * slope[c] + bias[c]);
      }
    }
  });
}

}  // namespace ftwt::FTWT_ISA
