// The only place with PTX and launch syntax. Every wrapper has a body for nvcc and one for native/emulator, so that
// kernels are written once.
//
// Matrix products of a warp (lane l, register r; numbers of 16 bits are packed two to a register, the lower k below):
//   c [16, 8]:       row l/4 + 8 (r/2), column 2 (l%4) + r%2
//   a [16, 8] tf32:  row l/4 + 8 (r%2), k = l%4 + 4 (r/2)
//   b [8, 8] tf32:   k = l%4 + 4 r, column l/4
//   a [16, 16]:      row l/4 + 8 (r%2), k = 2 (l%4) + 8 (r/2), and k + 1
//   b [16, 8]:       k = 2 (l%4) + 8 r, and k + 1; column l/4
#pragma once
#include <cuda_runtime.h>

#include <cstdint>
#include <utility>

#include "cuda/check.h"

#ifdef FTWT_EMULATOR
#include <source_location>

#include "emulator/async_copy.h"
#include "emulator/launch.h"
#include "emulator/mma.h"
#include "emulator/shared_memory.h"
#endif

// FTWT_SHARED(float, tile, [16][17]); declares an array of the block, aligned for vector loads.
#ifdef FTWT_EMULATOR
#define FTWT_SHARED(Type, name, ...)           \
  alignas(16) static Type name __VA_ARGS__;    \
  static uint64_t name##_reached_by_block = 0; \
  ::ftwt::emulator::reach_shared(&name, sizeof(name), name##_reached_by_block)
#else
#define FTWT_SHARED(Type, name, ...) __shared__ __align__(16) Type name __VA_ARGS__
#endif

namespace ftwt::cuda {

template <class... P, class... A>
void launch(void (*kernel)(P...), dim3 grid, dim3 block, size_t shared_bytes, cudaStream_t stream, A&&... arguments) {
#ifdef FTWT_EMULATOR
  emulator::launch(kernel, {grid, block, shared_bytes}, stream, std::forward<A>(arguments)...);
#else
  // clang-format would split >>>
  // clang-format off
  kernel<<<grid, block, shared_bytes, stream>>>(std::forward<A>(arguments)...);
  // clang-format on
#endif
  CUDA_CHECK(cudaGetLastError());
}

// The shared memory asked for at the launch, aligned to 128 bytes.
template <class T>
__device__ __forceinline__ T* dynamic_shared() {
#ifdef FTWT_EMULATOR
  return static_cast<T*>(emulator::dynamic_shared_memory());
#else
  extern __shared__ __align__(128) unsigned char ftwt_dynamic_shared[];
  return reinterpret_cast<T*>(ftwt_dynamic_shared);
#endif
}

// ---- Copies into shared memory that go on while the thread computes
// -----------------------------------------------------

// Reads source_bytes and writes kBytes, the rest 0. Both addresses are multiples of kBytes. Neither may be touched, nor
// the copy relied on, before cp_async_wait and a barrier. Before compute capability 8.0: an ordinary copy.
template <int kBytes>
__device__ __forceinline__ void cp_async(void* shared, const void* global, int source_bytes) {
  static_assert(kBytes == 4 || kBytes == 8 || kBytes == 16, "cp.async copies 4, 8 or 16 bytes");
#if defined(FTWT_EMULATOR)
  emulator::current->copies.start(shared, global, kBytes, static_cast<size_t>(source_bytes));
#elif __CUDA_ARCH__ >= 800
  const uint32_t address = static_cast<uint32_t>(__cvta_generic_to_shared(shared));
  if constexpr (kBytes == 16) {  // only whole cache sectors can pass L1 by
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(address), "l"(global), "r"(source_bytes)
                 : "memory");
  } else {
    asm volatile("cp.async.ca.shared.global [%0], [%1], %2, %3;" ::"r"(address), "l"(global), "n"(kBytes),
                 "r"(source_bytes)
                 : "memory");
  }
#else
  auto* to = static_cast<unsigned char*>(shared);
  auto* from = static_cast<const unsigned char*>(global);
  if (source_bytes == kBytes) {
    for (int i = 0; i < kBytes; i += 4)
      *reinterpret_cast<uint32_t*>(to + i) = *reinterpret_cast<const uint32_t*>(from + i);
  } else {
    for (int i = 0; i < kBytes; ++i) to[i] = i < source_bytes ? from[i] : 0;
  }
#endif
}

// The same of all kBytes, in fewer instructions.
template <int kBytes>
__device__ __forceinline__ void cp_async(void* shared, const void* global) {
#if !defined(FTWT_EMULATOR) && __CUDA_ARCH__ >= 800
  if constexpr (kBytes < 16) {
    const uint32_t address = static_cast<uint32_t>(__cvta_generic_to_shared(shared));
    asm volatile("cp.async.ca.shared.global [%0], [%1], %2;" ::"r"(address), "l"(global), "n"(kBytes) : "memory");
    return;
  }
#endif
  cp_async<kBytes>(shared, global, kBytes);
}

// Closes a group of copies.
__device__ __forceinline__ void cp_async_commit() {
#if defined(FTWT_EMULATOR)
  emulator::current->copies.commit();
#elif __CUDA_ARCH__ >= 800
  asm volatile("cp.async.commit_group;" ::: "memory");
#endif
}

// Waits for this thread's groups, except the last kGroupsLeft.
template <int kGroupsLeft>
__device__ __forceinline__ void cp_async_wait() {
#if defined(FTWT_EMULATOR)
  emulator::current->copies.wait(kGroupsLeft);
#elif __CUDA_ARCH__ >= 800
  asm volatile("cp.async.wait_group %0;" ::"n"(kGroupsLeft) : "memory");
#endif
}

// ---- Tensor cores
// -------------------------------------------------------------------------------------------------------

// Rounded to the 10 bits of TF32's mantissa, ties away from zero.
__device__ __forceinline__ uint32_t to_tf32(float value) {
#if !defined(FTWT_EMULATOR) && __CUDA_ARCH__ >= 800
  uint32_t bits;
  asm("cvt.rna.tf32.f32 %0, %1;" : "=r"(bits) : "f"(value));
  return bits;
#else
  const uint32_t bits = __float_as_uint(value);
  const bool finite = (bits & 0x7f800000u) != 0x7f800000u;
  return finite ? (bits + 0x1000u) & 0xffffe000u : bits;
#endif
}

#ifdef FTWT_EMULATOR

inline void mma_tf32(float d[4], const uint32_t a[4], const uint32_t b[2],
                     std::source_location where = std::source_location::current()) {
  emulator::mma_tf32(d, a, b, where);
}
inline void mma_f16(float d[4], const uint32_t a[4], const uint32_t b[2],
                    std::source_location where = std::source_location::current()) {
  emulator::mma_f16(d, a, b, where);
}
inline void mma_bf16(float d[4], const uint32_t a[4], const uint32_t b[2],
                     std::source_location where = std::source_location::current()) {
  emulator::mma_bf16(d, a, b, where);
}
template <bool kTransposed = false>
void ldmatrix_x4(uint32_t d[4], const void* row, std::source_location where = std::source_location::current()) {
  emulator::ldmatrix_x4(d, row, kTransposed, where);
}

#else

// The launcher chooses no kernel with these below compute capability 8.0; there they only have to compile.
#if __CUDA_ARCH__ >= 800
#define FTWT_MMA(instruction)                                                       \
  asm volatile(instruction " {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};" \
               : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])                     \
               : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]))
#else
#define FTWT_MMA(instruction) __trap()
#endif

// d += a b for the whole warp; d, a and b are this lane's registers.
__device__ __forceinline__ void mma_tf32(float d[4], const uint32_t a[4], const uint32_t b[2]) {
  FTWT_MMA("mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32");
}
__device__ __forceinline__ void mma_f16(float d[4], const uint32_t a[4], const uint32_t b[2]) {
  FTWT_MMA("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32");
}
__device__ __forceinline__ void mma_bf16(float d[4], const uint32_t a[4], const uint32_t b[2]) {
  FTWT_MMA("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32");
}
#undef FTWT_MMA

// Four 8x8 matrices of 16-bit numbers from shared memory; lane l gives the address of row l%8 of matrix l/8. Register m
// is row l/4, columns 2 (l%4) and + 1 of matrix m, or of its transpose.
template <bool kTransposed = false>
__device__ __forceinline__ void ldmatrix_x4(uint32_t d[4], const void* row) {
  const uint32_t address = static_cast<uint32_t>(__cvta_generic_to_shared(row));
  if constexpr (kTransposed) {
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0,%1,%2,%3}, [%4];"
                 : "=r"(d[0]), "=r"(d[1]), "=r"(d[2]), "=r"(d[3])
                 : "r"(address)
                 : "memory");
  } else {
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3}, [%4];"
                 : "=r"(d[0]), "=r"(d[1]), "=r"(d[2]), "=r"(d[3])
                 : "r"(address)
                 : "memory");
  }
}

#endif

}  // namespace ftwt::cuda
