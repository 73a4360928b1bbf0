// Which lane holds which element of a matrix product: every (lane, register) alone, against the tables of the PTX
// manual.
#include <cuda_bf16.h>
#include <cuda_fp16.h>

#include <functional>

#include "emulator/tests/runner.h"

namespace ftwt::emulator::tests {

namespace {

enum class Format { Tf32, F16, Bf16 };

constexpr int kM = 16, kN = 8;
constexpr int depth(Format format) { return format == Format::Tf32 ? 8 : 16; }

// One product of a warp; the registers of all lanes are a [32, 4], b [32, 2] and d [32, 4].
__global__ void multiply(Format format, const uint32_t* a, const uint32_t* b, float* d) {
  const unsigned lane = threadIdx.x;
  float own[4];
  for (int i = 0; i < 4; ++i) own[i] = d[lane * 4 + i];
  if (format == Format::Tf32) cuda::mma_tf32(own, a + lane * 4, b + lane * 2);
  if (format == Format::F16) cuda::mma_f16(own, a + lane * 4, b + lane * 2);
  if (format == Format::Bf16) cuda::mma_bf16(own, a + lane * 4, b + lane * 2);
  for (int i = 0; i < 4; ++i) d[lane * 4 + i] = own[i];
}

uint32_t bits_of(Format format, float value) {
  switch (format) {
    case Format::Tf32: return cuda::to_tf32(value);
    case Format::F16: return __half_as_ushort(__float2half(value));
    case Format::Bf16: return __bfloat16_as_ushort(__float2bfloat16(value));
  }
  return 0;
}

// Where the manual puts an element: the lane, its register, and the half of the register.
struct Slot {
  int lane, reg, part;
};
Slot slot_of_a(Format format, int row, int k) {
  if (format == Format::Tf32) return {4 * (row % 8) + k % 4, row / 8 + 2 * (k / 4), 0};
  return {4 * (row % 8) + k / 2 % 4, row / 8 + 2 * (k / 8), k % 2};
}
Slot slot_of_b(Format format, int k, int column) {
  if (format == Format::Tf32) return {4 * column + k % 4, k / 4, 0};
  return {4 * column + k / 2 % 4, k / 8, k % 2};
}
Slot slot_of_c(int row, int column) { return {4 * (row % 8) + column / 2, column % 2 + 2 * (row / 8), 0}; }

using Matrix = std::function<float(int row, int column)>;

// d = c + a b through the registers, as [16, 8].
std::vector<float> product(Format format, const Matrix& a, const Matrix& b, const Matrix& c) {
  std::vector<uint32_t> a_registers(32 * 4), b_registers(32 * 2);
  std::vector<float> d_registers(32 * 4);
  for (int k = 0; k < depth(format); ++k) {
    for (int row = 0; row < kM; ++row) {
      const Slot slot = slot_of_a(format, row, k);
      a_registers[slot.lane * 4 + slot.reg] |= bits_of(format, a(row, k)) << 16 * slot.part;
    }
    for (int column = 0; column < kN; ++column) {
      const Slot slot = slot_of_b(format, k, column);
      b_registers[slot.lane * 2 + slot.reg] |= bits_of(format, b(k, column)) << 16 * slot.part;
    }
  }
  for (int i = 0; i < kM * kN; ++i) {
    const Slot slot = slot_of_c(i / kN, i % kN);
    d_registers[slot.lane * 4 + slot.reg] = c(i / kN, i % kN);
  }
  const Array<uint32_t> a_device(a_registers), b_device(b_registers);
  const Array<float> d_device(d_registers);
  run(multiply, 1, 32, format, a_device.data(), b_device.data(), d_device.data());
  const std::vector<float> result = d_device.get();
  std::vector<float> d(kM * kN);
  for (int i = 0; i < kM * kN; ++i) {
    const Slot slot = slot_of_c(i / kN, i % kN);
    d[i] = result[slot.lane * 4 + slot.reg];
  }
  return d;
}

float zero(int, int) { return 0; }

// One element of a and one of b at a time: their product must land in their row and column, and nowhere else.
void check_every_element(Format format) {
  for (int k = 0; k < depth(format); ++k) {
    for (int row = 0; row < kM; ++row) {
      const int column = (row + k) % kN;
      const auto d = product(
          format, [&](int r, int i) { return r == row && i == k ? 3.0f : 0.0f; },
          [&](int i, int c) { return i == k && c == column ? 5.0f : 0.0f; }, zero);
      for (int i = 0; i < kM * kN; ++i) check_equal(d[i], i == row * kN + column ? 15.0f : 0.0f);
    }
  }
}

// Small whole numbers, so that every order of summation gives the same.
void check_dense(Format format) {
  const Matrix a = [](int row, int k) { return static_cast<float>((row * 7 + k * 3) % 11 - 5); };
  const Matrix b = [](int k, int column) { return static_cast<float>((k * 5 + column * 2) % 13 - 6); };
  const Matrix c = [](int row, int column) { return static_cast<float>(row - column); };
  const auto d = product(format, a, b, c);
  for (int row = 0; row < kM; ++row) {
    for (int column = 0; column < kN; ++column) {
      float expected = c(row, column);
      for (int k = 0; k < depth(format); ++k) expected += a(row, k) * b(k, column);
      check_equal(d[row * kN + column], expected);
    }
  }
}

TEST(mma_tf32_elements) { check_every_element(Format::Tf32); }
TEST(mma_tf32_dense) { check_dense(Format::Tf32); }
TEST(mma_f16_elements) { check_every_element(Format::F16); }
TEST(mma_f16_dense) { check_dense(Format::F16); }
TEST(mma_bf16_elements) { check_every_element(Format::Bf16); }
TEST(mma_bf16_dense) { check_dense(Format::Bf16); }

TEST(mma_tf32_ignores_the_low_bits) {
  std::vector<uint32_t> a(32 * 4, __float_as_uint(1.0f) + 0x1fff), b(32 * 2, __float_as_uint(1.0f) + 0x1fff);
  const Array<uint32_t> a_device(a), b_device(b);
  const Array<float> d(std::vector<float>(32 * 4, 0.0f));
  run(multiply, 1, 32, Format::Tf32, a_device.data(), b_device.data(), d.data());
  for (const float value : d.get()) check_equal(value, 8.0f);
}

TEST(to_tf32_rounds_ties_away_from_zero) {
  const float step = 0x1p-10f;
  check_equal(__uint_as_float(cuda::to_tf32(1.0f + step / 2)), 1.0f + step);
  check_equal(__uint_as_float(cuda::to_tf32(-1.0f - step / 2)), -1.0f - step);
  check_equal(__uint_as_float(cuda::to_tf32(1.0f + step * 0.49f)), 1.0f);
  check_equal(cuda::to_tf32(INFINITY), 0x7f800000u);
}

__global__ void load_matrices(bool transposed, const uint16_t* x, uint32_t* y) {
  FTWT_SHARED(uint16_t, tile, [32][8]);
  const unsigned lane = threadIdx.x;
  for (int i = 0; i < 8; ++i) tile[lane][i] = x[lane * 8 + i];
  __syncwarp();
  if (transposed) {
    cuda::ldmatrix_x4<true>(y + lane * 4, tile[lane]);
  } else {
    cuda::ldmatrix_x4(y + lane * 4, tile[lane]);
  }
}

TEST(ldmatrix_elements) {
  std::vector<uint16_t> x(32 * 8);
  for (size_t i = 0; i < x.size(); ++i) x[i] = static_cast<uint16_t>(i);
  for (const bool transposed : {false, true}) {
    const Array<uint16_t> from(x);
    const Array<uint32_t> to(32 * 4);
    run(load_matrices, 1, 32, transposed, from.data(), to.data());
    const auto y = to.get();
    for (int i = 0; i < 32 * 4 * 2; ++i) {
      const int lane = i / 8, matrix = i / 2 % 4, part = i % 2;
      const int row = lane / 4, column = 2 * (lane % 4) + part;
      const int expected = matrix * 64 + (transposed ? column * 8 + row : row * 8 + column);
      check_equal(static_cast<int>(y[lane * 4 + matrix] >> 16 * part & 0xffff), expected);
    }
  }
}

__global__ void multiply_in_a_half_warp(float* d) {
  const uint32_t zeros[4] = {};
  if (threadIdx.x < 16) cuda::mma_tf32(d + threadIdx.x * 4, zeros, zeros);
}

TEST(mma_needs_the_whole_warp) {
  const Array<float> d(32 * 4);
  const std::string message = failure_of([&] { run(multiply_in_a_half_warp, 1, 32, d.data()); });
  check_contains(message, "16 threads at mma_tf32 at tensor_cores.cu:");
  check_contains(message, "but lane 16 has finished");
}

}  // namespace

}  // namespace ftwt::emulator::tests
