// A small CUDA for the host compiler: the .cu files that nvcc compiles for a GPU are compiled by g++ against this
// header and run without one. emulator/block.h says how threads run, emulator/stream.h how streams do.
//
// Stricter than a GPU, so that mistakes show: queued work runs only when something waits for it; memory that nothing
// has written holds NaN; allocations end where they were asked to (AddressSanitizer sees one element beyond); a barrier
// or lane mask that not every thread honours fails with the places where the threads stand.
//
// Not there: thread block clusters, cooperative launches, textures, __constant__ memory, managed memory, printf
// buffers, kernels that wait for other blocks (blocks run one after another). Warps are not in lockstep, nor does a GPU
// promise it.
#pragma once

#ifndef FTWT_EMULATOR
#define FTWT_EMULATOR 1
#endif

#define __global__
#define __device__
#define __host__
#define __forceinline__ inline __attribute__((always_inline))
#define __launch_bounds__(...)
#define __grid_constant__
#define __align__(bytes) alignas(bytes)

#include "emulator/api.h"
#include "emulator/atomics.h"
#include "emulator/builtins.h"
#include "emulator/device_math.h"
#include "emulator/launch.h"
#include "emulator/shared_memory.h"
#include "emulator/vector_types.h"
