// CUDA's small vectors.
#pragma once

#define FTWT_VECTORS(Element, name)                                                                    \
  struct alignas(2 * sizeof(Element)) name##2 { Element x, y; };                                       \
  struct name##3 { Element x, y, z; };                                                                 \
  struct alignas(4 * sizeof(Element) < 16 ? 4 * sizeof(Element) : 16) name##4 { Element x, y, z, w; }; \
  constexpr name##2 make_##name##2(Element x, Element y) { return {x, y}; }                            \
  constexpr name##3 make_##name##3(Element x, Element y, Element z) { return {x, y, z}; }              \
  constexpr name##4 make_##name##4(Element x, Element y, Element z, Element w) { return {x, y, z, w}; }

FTWT_VECTORS(signed char, char)
FTWT_VECTORS(unsigned char, uchar)
FTWT_VECTORS(short, short)
FTWT_VECTORS(unsigned short, ushort)
FTWT_VECTORS(int, int)
FTWT_VECTORS(unsigned int, uint)
FTWT_VECTORS(long long, longlong)
FTWT_VECTORS(unsigned long long, ulonglong)
FTWT_VECTORS(float, float)
FTWT_VECTORS(double, double)
#undef FTWT_VECTORS

struct dim3 {
  unsigned int x, y, z;
  constexpr dim3(unsigned int x_size = 1, unsigned int y_size = 1, unsigned int z_size = 1)
      : x(x_size), y(y_size), z(z_size) {}
  constexpr dim3(uint3 size) : x(size.x), y(size.y), z(size.z) {}
  constexpr operator uint3() const { return {x, y, z}; }
};
