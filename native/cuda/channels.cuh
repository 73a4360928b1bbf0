// V neighbouring channels of one pixel, V = 4 as one access of 16 bytes.
#pragma once
#include <cuda_runtime.h>

#include <cstdint>
#include <initializer_list>

namespace ftwt::cuda {

template <int V>
struct Channels {
  float at[V];
};

template <int V>
__device__ __forceinline__ Channels<V> splat(float value) {
  Channels<V> result;
#pragma unroll
  for (int i = 0; i < V; ++i) result.at[i] = value;
  return result;
}

template <int V>
__device__ __forceinline__ Channels<V> load_channels(const float* from) {
  static_assert(V == 1 || V == 4, "one float or one float4");
  if constexpr (V == 4) {
    const float4 v = *reinterpret_cast<const float4*>(from);
    return {{v.x, v.y, v.z, v.w}};
  } else {
    return {{*from}};
  }
}

template <int V>
__device__ __forceinline__ void store_channels(float* to, const Channels<V>& v) {
  if constexpr (V == 4) {
    *reinterpret_cast<float4*>(to) = make_float4(v.at[0], v.at[1], v.at[2], v.at[3]);
  } else {
    *to = v.at[0];
  }
}

// sum += a * b
template <int V>
__device__ __forceinline__ void add_product(Channels<V>& sum, const Channels<V>& a, const Channels<V>& b) {
#pragma unroll
  for (int i = 0; i < V; ++i) sum.at[i] = fmaf(a.at[i], b.at[i], sum.at[i]);
}

// Whether arrays can be read 4 floats at a time. nullptr is aligned.
inline bool aligned_for_vectors(std::initializer_list<const void*> arrays) {
  for (const void* array : arrays) {
    if (reinterpret_cast<uintptr_t>(array) % 16 != 0) return false;
  }
  return true;
}

}  // namespace ftwt::cuda
