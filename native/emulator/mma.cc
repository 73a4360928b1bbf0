#include "emulator/mma.h"

#include <bit>
#include <cstring>

#include "emulator/block.h"
#include "emulator/half_bits.h"

namespace ftwt::emulator {

namespace {

constexpr uint32_t kWholeWarp = 0xffffffffu;

struct Registers {
  float* d;
  const uint32_t* a;
  const uint32_t* b;
};

// Formats: how many numbers a register holds, and number `part` of a register.
struct Tf32 {
  static constexpr int kPerRegister = 1;
  static float unpack(uint32_t bits, int) { return std::bit_cast<float>(bits & 0xffffe000u); }
};
struct F16 {
  static constexpr int kPerRegister = 2;
  static float unpack(uint32_t bits, int part) { return half_to_float(static_cast<uint16_t>(bits >> 16 * part)); }
};
struct Bf16 {
  static constexpr int kPerRegister = 2;
  static float unpack(uint32_t bits, int part) { return bfloat16_to_float(static_cast<uint16_t>(bits >> 16 * part)); }
};

// All three layouts are one: k = 4 P r + P (l % 4) + p for number p of register half r, with P numbers to a register.
template <class Format>
void multiply(const Lanes& lanes) {
  constexpr int kP = Format::kPerRegister, kK = 8 * kP;
  float a[16][kK], b[kK][8];
  for (int lane = 0; lane < kWarpSize; ++lane) {
    const auto& own = *static_cast<const Registers*>(lanes.payload[lane]);
    for (int part = 0; part < kP; ++part) {
      for (int r = 0; r < 4; ++r) {
        a[lane / 4 + 8 * (r % 2)][4 * kP * (r / 2) + kP * (lane % 4) + part] = Format::unpack(own.a[r], part);
      }
      for (int r = 0; r < 2; ++r) b[4 * kP * r + kP * (lane % 4) + part][lane / 4] = Format::unpack(own.b[r], part);
    }
  }
  for (int lane = 0; lane < kWarpSize; ++lane) {
    const auto& own = *static_cast<const Registers*>(lanes.payload[lane]);
    for (int e = 0; e < 4; ++e) {
      const int row = lane / 4 + 8 * (e / 2), column = 2 * (lane % 4) + e % 2;
      float sum = own.d[e];
      for (int k = 0; k < kK; ++k) sum += a[row][k] * b[k][column];  // products of 11-bit numbers are exact
      own.d[e] = sum;
    }
  }
}

struct MatrixRow {
  const void* row;
  uint32_t* d;
};

template <bool kTransposed>
void load_matrices(const Lanes& lanes) {
  for (int matrix = 0; matrix < 4; ++matrix) {
    uint16_t values[8][8];
    for (int row = 0; row < 8; ++row) {
      std::memcpy(values[row], static_cast<const MatrixRow*>(lanes.payload[8 * matrix + row])->row, sizeof values[row]);
    }
    for (int lane = 0; lane < kWarpSize; ++lane) {
      const int row = lane / 4, column = 2 * (lane % 4);
      const uint32_t low = kTransposed ? values[column][row] : values[row][column];
      const uint32_t high = kTransposed ? values[column + 1][row] : values[row][column + 1];
      static_cast<const MatrixRow*>(lanes.payload[lane])->d[matrix] = low | high << 16;
    }
  }
}

}  // namespace

void mma_tf32(float d[4], const uint32_t a[4], const uint32_t b[2], std::source_location where) {
  Registers own{d, a, b};
  block().collective("mma_tf32", kWholeWarp, &own, multiply<Tf32>, where);
}

void mma_f16(float d[4], const uint32_t a[4], const uint32_t b[2], std::source_location where) {
  Registers own{d, a, b};
  block().collective("mma_f16", kWholeWarp, &own, multiply<F16>, where);
}

void mma_bf16(float d[4], const uint32_t a[4], const uint32_t b[2], std::source_location where) {
  Registers own{d, a, b};
  block().collective("mma_bf16", kWholeWarp, &own, multiply<Bf16>, where);
}

void ldmatrix_x4(uint32_t d[4], const void* row, bool transposed, std::source_location where) {
  if (reinterpret_cast<uintptr_t>(row) % 16) block().fail("ldmatrix: the address of a row is not a multiple of 16");
  MatrixRow own{row, d};
  block().collective("ldmatrix", kWholeWarp, &own, transposed ? load_matrices<true> : load_matrices<false>, where);
}

}  // namespace ftwt::emulator
