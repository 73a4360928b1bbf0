// Atomics: plain reads and writes, because one CUDA thread runs at a time and is never interrupted.
#pragma once
#include <type_traits>

namespace ftwt::emulator {

template <class T, class Change>
T exchange(T* address, Change change) {
  const T old = *address;
  *address = change(old);
  return old;
}

}  // namespace ftwt::emulator

// T is that of the address: the operand converts, as with CUDA's overloads.
#define FTWT_ATOMIC(name, condition, expression)                                                           \
  template <class T>                                                                                       \
    requires(condition)                                                                                    \
  T name(T* address, std::type_identity_t<T> value) {                                                      \
    return ftwt::emulator::exchange(address, [value]([[maybe_unused]] T old) -> T { return expression; }); \
  }                                                                                                        \
  template <class T>                                                                                       \
    requires(condition)                                                                                    \
  T name##_block(T* address, std::type_identity_t<T> value) {                                              \
    return name(address, value);                                                                           \
  }
namespace ftwt::emulator {
template <class T>
constexpr bool is_word = std::is_same_v<T, int> || std::is_same_v<T, unsigned> || std::is_same_v<T, unsigned long long>;
template <class T>
constexpr bool is_ordered = is_word<T> || std::is_same_v<T, long long>;
template <class T>
constexpr bool is_addable = is_word<T> || std::is_same_v<T, float> || std::is_same_v<T, double>;
template <class T>
T wrapping_add(T a, T b) {
  if constexpr (std::is_integral_v<T>) {
    return static_cast<T>(static_cast<std::make_unsigned_t<T>>(a) + static_cast<std::make_unsigned_t<T>>(b));
  } else {
    return a + b;
  }
}
}  // namespace ftwt::emulator

FTWT_ATOMIC(atomicAdd, ftwt::emulator::is_addable<T>, ftwt::emulator::wrapping_add(old, value))
FTWT_ATOMIC(atomicMax, ftwt::emulator::is_ordered<T>, old > value ? old : value)
FTWT_ATOMIC(atomicMin, ftwt::emulator::is_ordered<T>, old < value ? old : value)
FTWT_ATOMIC(atomicAnd, ftwt::emulator::is_word<T>, old& value)
FTWT_ATOMIC(atomicOr, ftwt::emulator::is_word<T>, old | value)
FTWT_ATOMIC(atomicXor, ftwt::emulator::is_word<T>, old ^ value)
FTWT_ATOMIC(atomicExch, ftwt::emulator::is_word<T> || (std::is_same_v<T, float>), value)
#undef FTWT_ATOMIC

inline int atomicSub(int* address, int value) {
  return ftwt::emulator::exchange(address, [value](int old) { return old - value; });
}
inline unsigned atomicSub(unsigned* address, unsigned value) {
  return ftwt::emulator::exchange(address, [value](unsigned old) { return old - value; });
}

template <class T>
  requires(ftwt::emulator::is_word<T>)
T atomicCAS(T* address, std::type_identity_t<T> expected, std::type_identity_t<T> value) {
  return ftwt::emulator::exchange(address, [=](T old) { return old == expected ? value : old; });
}
