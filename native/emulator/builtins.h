// What a kernel can call and read: its place in the grid, barriers, warp collectives.
#pragma once
#include <cstdint>
#include <source_location>
#include <type_traits>

#include "emulator/block.h"
#include "emulator/poison.h"

#define threadIdx (::ftwt::emulator::current->index)
#define blockIdx (::ftwt::emulator::position.block_index)
#define blockDim (::ftwt::emulator::position.block_dim)
#define gridDim (::ftwt::emulator::position.grid_dim)

constexpr int warpSize = ftwt::emulator::kWarpSize;

#define FTWT_WHERE std::source_location where = std::source_location::current()

// ---- Barriers of the block
// ----------------------------------------------------------------------------------------------

inline void __syncthreads(FTWT_WHERE) {
  using ftwt::emulator::Block;
  ftwt::emulator::block().barrier("__syncthreads", where, Block::Combine::None, false);
}
inline int __syncthreads_count(int predicate, FTWT_WHERE) {
  using ftwt::emulator::Block;
  return ftwt::emulator::block().barrier("__syncthreads_count", where, Block::Combine::Count, predicate != 0);
}
inline int __syncthreads_and(int predicate, FTWT_WHERE) {
  using ftwt::emulator::Block;
  return ftwt::emulator::block().barrier("__syncthreads_and", where, Block::Combine::And, predicate != 0);
}
inline int __syncthreads_or(int predicate, FTWT_WHERE) {
  using ftwt::emulator::Block;
  return ftwt::emulator::block().barrier("__syncthreads_or", where, Block::Combine::Or, predicate != 0);
}

inline void __threadfence() {}
inline void __threadfence_block() {}
inline void __threadfence_system() {}
inline void __nanosleep(unsigned) { ftwt::emulator::block().yield(); }
[[noreturn]] inline void __trap() { ftwt::emulator::block().fail("__trap"); }

// ---- Collectives of a warp
// ----------------------------------------------------------------------------------------------

namespace ftwt::emulator {

inline int lane_id() { return current->id % kWarpSize; }

enum class Shuffle { Index, Up, Down, Xor };

// The lane that `lane` reads from. Beyond its segment of `width` lanes, a lane reads itself.
inline int shuffle_source(Shuffle kind, int lane, int argument, int width) {
  const int begin = lane & ~(width - 1), end = begin + width;
  switch (kind) {
    case Shuffle::Index: return begin + (argument & (width - 1));
    case Shuffle::Up: return lane - argument < begin ? lane : lane - argument;
    case Shuffle::Down: return lane + argument >= end ? lane : lane + argument;
    case Shuffle::Xor: return (lane ^ argument) >= end ? lane : lane ^ argument;
  }
  return lane;
}

template <class T>
struct ShuffleLane {
  T value;
  int source;
  T result;
};

template <class T>
void shuffle_all(const Lanes& lanes) {
  for (int lane = 0; lane < kWarpSize; ++lane) {
    if (!lanes.has(lane)) continue;
    auto& self = *static_cast<ShuffleLane<T>*>(lanes.payload[lane]);
    if (lanes.has(self.source)) {
      self.result = static_cast<ShuffleLane<T>*>(lanes.payload[self.source])->value;
    } else {
      poison(&self.result, sizeof self.result);  // CUDA leaves it undefined
    }
  }
}

template <class T>
T shuffle(const char* what, Shuffle kind, unsigned mask, T value, int argument, int width, std::source_location where) {
  static_assert(std::is_arithmetic_v<T> && sizeof(T) >= 4, "CUDA shuffles 32-bit and 64-bit numbers");
  if (width < 1 || width > kWarpSize || (width & (width - 1)))
    block().fail("the width of a shuffle is no power of two");
  ShuffleLane<T> lane{value, shuffle_source(kind, lane_id(), argument, width), value};
  block().collective(what, mask, &lane, shuffle_all<T>, where);
  return lane.result;
}

template <class T, class Combine>
T warp_reduce(const char* what, unsigned mask, T value, Combine, std::source_location where) {
  block().collective(
      what, mask, &value,
      [](const Lanes& lanes) {
        bool first = true;
        T total{};
        for (int lane = 0; lane < kWarpSize; ++lane) {
          if (!lanes.has(lane)) continue;
          const T next = *static_cast<T*>(lanes.payload[lane]);
          total = first ? next : Combine{}(total, next);
          first = false;
        }
        for (int lane = 0; lane < kWarpSize; ++lane) {
          if (lanes.has(lane)) *static_cast<T*>(lanes.payload[lane]) = total;
        }
      },
      where);
  return value;
}

// The lanes of `mask` for which the predicate holds.
inline uint32_t vote(const char* what, unsigned mask, int predicate, std::source_location where) {
  const auto bits_or = [](uint32_t a, uint32_t b) { return a | b; };
  return warp_reduce(what, mask, predicate ? 1u << lane_id() : 0u, bits_or, where);
}

}  // namespace ftwt::emulator

inline void __syncwarp(unsigned mask = 0xffffffffu, FTWT_WHERE) {
  ftwt::emulator::block().collective("__syncwarp", mask, nullptr, nullptr, where);
}

template <class T>
T __shfl_sync(unsigned mask, T value, int lane, int width = warpSize, FTWT_WHERE) {
  using ftwt::emulator::Shuffle;
  return ftwt::emulator::shuffle("__shfl_sync", Shuffle::Index, mask, value, lane, width, where);
}
template <class T>
T __shfl_up_sync(unsigned mask, T value, unsigned delta, int width = warpSize, FTWT_WHERE) {
  using ftwt::emulator::Shuffle;
  return ftwt::emulator::shuffle("__shfl_up_sync", Shuffle::Up, mask, value, static_cast<int>(delta), width, where);
}
template <class T>
T __shfl_down_sync(unsigned mask, T value, unsigned delta, int width = warpSize, FTWT_WHERE) {
  using ftwt::emulator::Shuffle;
  return ftwt::emulator::shuffle("__shfl_down_sync", Shuffle::Down, mask, value, static_cast<int>(delta), width, where);
}
template <class T>
T __shfl_xor_sync(unsigned mask, T value, int lane_mask, int width = warpSize, FTWT_WHERE) {
  using ftwt::emulator::Shuffle;
  return ftwt::emulator::shuffle("__shfl_xor_sync", Shuffle::Xor, mask, value, lane_mask, width, where);
}

inline unsigned __ballot_sync(unsigned mask, int predicate, FTWT_WHERE) {
  return ftwt::emulator::vote("__ballot_sync", mask, predicate, where);
}
inline int __any_sync(unsigned mask, int predicate, FTWT_WHERE) {
  return ftwt::emulator::vote("__any_sync", mask, predicate, where) != 0;
}
inline int __all_sync(unsigned mask, int predicate, FTWT_WHERE) {
  return ftwt::emulator::vote("__all_sync", mask, predicate, where) == mask;
}

// CUDA promises only that the calling lane is in the result, so that is all a kernel gets here.
inline unsigned __activemask() { return 1u << ftwt::emulator::lane_id(); }

#define FTWT_WARP_REDUCE(name, T, expression)                               \
  inline T name(unsigned mask, T value, FTWT_WHERE) {                       \
    const auto combine = [](T a, T b) -> T { return expression; };          \
    return ftwt::emulator::warp_reduce(#name, mask, value, combine, where); \
  }
FTWT_WARP_REDUCE(__reduce_add_sync, unsigned, a + b)
FTWT_WARP_REDUCE(__reduce_add_sync, int, static_cast<int>(static_cast<unsigned>(a) + static_cast<unsigned>(b)))
FTWT_WARP_REDUCE(__reduce_min_sync, unsigned, a < b ? a : b)
FTWT_WARP_REDUCE(__reduce_min_sync, int, a < b ? a : b)
FTWT_WARP_REDUCE(__reduce_max_sync, unsigned, a > b ? a : b)
FTWT_WARP_REDUCE(__reduce_max_sync, int, a > b ? a : b)
FTWT_WARP_REDUCE(__reduce_and_sync, unsigned, a& b)
FTWT_WARP_REDUCE(__reduce_or_sync, unsigned, a | b)
FTWT_WARP_REDUCE(__reduce_xor_sync, unsigned, a ^ b)
#undef FTWT_WARP_REDUCE
#undef FTWT_WHERE
