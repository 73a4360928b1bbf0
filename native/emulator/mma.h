// The tensor cores' matrix products of one warp, with the register layouts of the PTX manual ("Matrix fragments").
#pragma once
#include <cstdint>
#include <source_location>

namespace ftwt::emulator {

// d [16, 8] += a [16, 8] b [8, 8] in TF32: the low 13 bits of a and b are ignored.
void mma_tf32(float d[4], const uint32_t a[4], const uint32_t b[2], std::source_location where);

// d [16, 8] += a [16, 16] b [16, 8], two numbers to a register.
void mma_f16(float d[4], const uint32_t a[4], const uint32_t b[2], std::source_location where);
void mma_bf16(float d[4], const uint32_t a[4], const uint32_t b[2], std::source_location where);

// Four 8x8 matrices of 16-bit elements; lane l gives the address of row l % 8 of matrix l / 8.
void ldmatrix_x4(uint32_t d[4], const void* row, bool transposed, std::source_location where);

}  // namespace ftwt::emulator
